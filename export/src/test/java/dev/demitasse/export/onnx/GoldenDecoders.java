package dev.demitasse.export.onnx;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The golden folders of decoders. */
final class GoldenDecoders {
    private GoldenDecoders() {}

    static Stream<String> names() throws IOException {
        if (SharedData.folder().isEmpty()) {
            return SharedData.goldens();
        }
        return SharedData.goldens().filter(GoldenDecoders::decoder);
    }

    private static boolean decoder(String name) {
        Path folder = SharedData.folder().orElseThrow().resolve("golden").resolve(name);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.config().causal();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
