package dev.demitasse.export;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/** Checkpoints with INT8 weights, a scale to each output, rounded to nearest. */
public final class Int8Checkpoints {
    private Int8Checkpoints() {}

    /** Writes {@code target} from a float checkpoint; {@code all}: embedding and head are INT8 too. */
    public static void write(Path source, Path target, boolean all) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(source);
                CheckpointWriter writer = CheckpointWriter.create(
                        target,
                        checkpoint.config(),
                        checkpoint.tokenizer(),
                        key -> integer(key, all) ? ScalarFormat.I8 : ScalarFormat.F32)) {
            for (TensorKey key : checkpoint.config().tensors()) {
                if (integer(key, all)) {
                    writeInteger(writer, key, checkpoint.tensor(key));
                } else {
                    writer.write(key, checkpoint.tensor(key));
                }
            }
            writer.commit();
        }
    }

    private static boolean integer(TensorKey key, boolean all) {
        boolean wanted = key.role().projection() || all && (key.role() == Role.EMBEDDING || key.role() == Role.HEAD);
        return wanted && key.part() == Part.WEIGHT;
    }

    private static void writeInteger(CheckpointWriter writer, TensorKey key, Tensor weight) throws Exception {
        Tensor codes = Tensor.allocate(weight.name(), ScalarFormat.I8, weight.shape());
        float[] scales = new float[weight.rows()];
        float[] row = new float[weight.columns()];
        for (int i = 0; i < scales.length; i++) {
            weight.readRow(i, row, 0);
            float largest = 0;
            for (float value : row) {
                largest = Math.max(largest, Math.abs(value));
            }
            scales[i] = largest / 127;
            for (int j = 0; j < row.length; j++) {
                codes.data()
                        .set(ValueLayout.JAVA_BYTE, (long) i * row.length + j, (byte) Math.round(row[j] / scales[i]));
            }
        }
        writer.write(key, codes);
        writer.write(key.part(Part.SCALE), Tensor.ofFloats("scale", scales, scales.length));
    }
}
