package dev.demitasse.model.reference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * Reference files too large or not ours to keep in the repository: the folder {@code shared} beside the repository's
 * root, or {@code -Dshared.dir=…}. A test whose file is absent is skipped, and says so.
 */
public final class SharedData {
    private SharedData() {}

    /** The file or folder {@code relative} of the shared data; without it the calling test is skipped. */
    public static Path require(String relative) {
        Optional<Path> found = folder().map(folder -> folder.resolve(relative)).filter(Files::exists);
        if (found.isEmpty()) {
            String where = folder().map(Path::toString).orElse("no folder 'shared' beside the repository");
            String message = "SKIPPED: needs the reference data '%s' (%s); set -Dshared.dir=FOLDER to run this test"
                    .formatted(relative, where);
            System.err.println(message);
            Assumptions.abort(message);
        }
        return found.orElseThrow();
    }

    /** The folder of shared data, if there is one. */
    public static Optional<Path> folder() {
        String named = System.getProperty("shared.dir", "");
        if (!named.isEmpty()) {
            return Optional.of(Path.of(named).toAbsolutePath()).filter(Files::isDirectory);
        }
        // Surefire runs in the module's folder, an IDE perhaps in the root: every folder with a pom.xml may be the
        // root.
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at.resolve("pom.xml"))) {
                Path shared = at.resolveSibling("shared");
                if (Files.isDirectory(shared.resolve("golden"))) {
                    return Optional.of(shared);
                }
            }
        }
        return Optional.empty();
    }

    /**
     * Every folder of {@code golden} that holds a model and another implementation's outputs for it; one name that
     * {@link #require} skips by where there is no shared data.
     */
    public static Stream<String> goldens() throws IOException {
        Optional<Path> golden = folder().map(folder -> folder.resolve("golden")).filter(Files::isDirectory);
        if (golden.isEmpty()) {
            return Stream.of("llama");
        }
        try (Stream<Path> folders = Files.list(golden.get())) {
            return folders
                    .filter(folder -> Files.exists(folder.resolve(Golden.FILE)))
                    .map(folder -> folder.getFileName().toString())
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    /** The folders of {@code golden} whose models are of the Llama family. */
    public static Stream<String> llamaGoldens() {
        return Stream.of(
                "llama",
                "llama_tied",
                "llama_sharded",
                "llama_bf16",
                "llama_bias_headdim",
                "llama_rope_linear",
                "llama_rope_llama3",
                "mistral_sliding");
    }
}
