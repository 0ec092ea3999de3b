package dev.demitasse.distill.network;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SourceWeightsTest {
    @TempDir
    Path folder;

    /** Of an INT8 weight: code · scale of its row. */
    @Test
    void decodesIntegerWeights() throws IOException {
        TensorKey down = TensorKey.weight(Role.DOWN, 1);
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama_tied"))) {
            ModelConfig config = source.config();
            Tensor codes = Tensor.allocate("codes", ScalarFormat.I8, config.shape(down));
            for (long i = 0; i < codes.elements(); i++) {
                codes.data().set(java.lang.foreign.ValueLayout.JAVA_BYTE, i, (byte) (i * 37));
            }
            float[] scales = new float[codes.rows()];
            for (int row = 0; row < scales.length; row++) {
                scales[row] = 0.5f + row;
            }
            try (CheckpointWriter writer = CheckpointWriter.create(
                    folder, config, Optional.empty(), key -> key.equals(down) ? ScalarFormat.I8 : ScalarFormat.F32)) {
                for (TensorKey key : config.tensors()) {
                    writer.write(key, key.equals(down) ? codes : source.tensor(key));
                }
                writer.write(down.part(Part.SCALE), Tensor.ofFloats("scales", scales, scales.length));
                writer.commit();
            }
            try (Checkpoint integers = Checkpoint.open(folder)) {
                Tensor decoded = SourceWeights.of(integers).tensor().apply(down);
                float[] values = decoded.toFloats();
                for (int i = 0; i < values.length; i++) {
                    assertThat(values[i]).isEqualTo((byte) (i * 37) * scales[i / codes.columns()]);
                }
            }
        }
    }
}
