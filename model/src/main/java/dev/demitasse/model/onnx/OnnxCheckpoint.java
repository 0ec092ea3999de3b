package dev.demitasse.model.onnx;

import dev.demitasse.model.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;

/** Placeholder. */
public final class OnnxCheckpoint {
    private OnnxCheckpoint() {}

    public static Checkpoint open(Path path) throws IOException {
        throw new IOException("not yet " + path);
    }
}
