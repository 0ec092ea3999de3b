package dev.demitasse.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Columns that stand beside a quantized weight in a folder. */
class OutliersTest {
    private static final TensorKey WEIGHT = TensorKey.weight(Role.UP, 1);

    @TempDir
    private Path folder;

    private void write(Checkpoint source, int... columns) throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(
                folder,
                source.config(),
                source.tokenizer(),
                key -> format(source, key),
                key -> key.equals(WEIGHT) ? columns.length : 0)) {
            for (TensorKey key : source.config().tensors()) {
                writer.write(key, source.tensor(key));
            }
            int rows = source.config().rows(WEIGHT);
            Tensor values = Tensor.allocate("values", ScalarFormat.F16, rows, columns.length);
            for (int row = 0; row < rows; row++) {
                float[] numbers = new float[columns.length];
                for (int i = 0; i < numbers.length; i++) {
                    numbers[i] = row + i / 8f;
                }
                values.writeRow(row, numbers, 0);
            }
            Outliers outliers = new Outliers(columns, values);
            writer.write(WEIGHT.part(Part.OUTLIERS), values);
            writer.write(WEIGHT.part(Part.OUTLIER_COLUMNS), outliers.columnTensor("columns"));
            writer.commit();
        }
    }

    private static TensorFormat format(Checkpoint source, TensorKey key) {
        return key.equals(WEIGHT) ? new Q8_0() : source.format(key);
    }

    @Test
    void areReadAgainAndTakeTheirPlaces() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama"))) {
            write(source, 2, 5);
            try (Checkpoint written = Checkpoint.open(folder)) {
                assertThat(written.has(WEIGHT.part(Part.OUTLIERS))).isTrue();
                assertThat(written.has(TensorKey.weight(Role.UP, 0).part(Part.OUTLIERS)))
                        .isFalse();
                Outliers read =
                        Outliers.find(WEIGHT, written::has, written::tensor).orElseThrow();
                assertThat(read.columns()).containsExactly(2, 5);
                float[] row = new float[source.config().columns(WEIGHT)];
                written.decoded(WEIGHT).readRow(3, row, 0);
                float[] rounded = new float[row.length];
                written.tensor(WEIGHT).readRow(3, rounded, 0);
                assertThat(row[2]).isEqualTo(3f);
                assertThat(row[5]).isEqualTo(3.125f);
                assertThat(row[3]).isEqualTo(rounded[3]);
                assertThatThrownBy(() -> Outliers.refuse(written, "GGUF"))
                        .isInstanceOf(InvalidRequestException.class)
                        .hasMessageContaining("model.layers.1.mlp.up_proj.weight")
                        .hasMessageContaining("GGUF has no place");
                Outliers.refuse(source, "GGUF");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"5, 2", "-1, 2", "2, 2", "2, 1000000"})
    void columnsThatCannotBeAreRefused(int first, int second) throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama"))) {
            write(source, first, second);
            try (Checkpoint written = Checkpoint.open(folder)) {
                assertThatThrownBy(() -> Outliers.find(WEIGHT, written::has, written::tensor))
                        .isInstanceOf(MalformedModelException.class)
                        .hasMessageContaining("do not belong to a weight");
            }
        }
    }
}
