package dev.demitasse.export;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.nio.file.Path;

/** Checkpoints with weights of a block format, rounded to nearest. */
public final class BlockCheckpoints {
    private BlockCheckpoints() {}

    /** Writes {@code target} from a float checkpoint; weights whose rows the blocks do not fill stay float32. */
    public static void write(Path source, Path target, BlockFormat format) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(source);
                CheckpointWriter writer = CheckpointWriter.create(
                        target, checkpoint.config(), checkpoint.tokenizer(), key -> format(checkpoint, key, format))) {
            for (TensorKey key : checkpoint.config().tensors()) {
                writer.write(key, checkpoint.tensor(key).to(format(checkpoint, key, format)));
            }
            writer.commit();
        }
    }

    private static TensorFormat format(Checkpoint checkpoint, TensorKey key, BlockFormat format) {
        return rounds(checkpoint, key, format) ? format : ScalarFormat.F32;
    }

    /** Whether {@code key} is rounded. */
    public static boolean rounds(Checkpoint checkpoint, TensorKey key, BlockFormat format) {
        return key.part() == Part.WEIGHT
                && key.role().quantized()
                && format.fits(checkpoint.config().columns(key));
    }
}
