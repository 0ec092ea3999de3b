package dev.demitasse.model.gguf;

import dev.demitasse.model.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;

/** Placeholder. */
public final class GgufCheckpoint {
    private GgufCheckpoint() {}

    public static Checkpoint open(Path path) throws IOException {
        throw new IOException("not yet " + path);
    }
}
