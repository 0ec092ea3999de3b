package dev.demitasse.recipes.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Hashes of models' files. A file is hashed whole, 13 GB in some ten seconds, once: its hash is kept in the run's folder
 * with its path, size and time of change, and taken from there while those are the same.
 */
public final class Fingerprints {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path memory;
    private final ObjectNode known;

    private Fingerprints(Path memory, ObjectNode known) {
        this.memory = memory;
        this.known = known;
    }

    /** @param memory where hashes are kept; made if need be, and begun anew if it cannot be read */
    static Fingerprints open(Path memory) throws IOException {
        if (Files.exists(memory)) {
            try {
                if (JSON.readTree(memory.toFile()) instanceof ObjectNode known) {
                    return new Fingerprints(memory, known);
                }
            } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
                // Only a memory of what can be computed again.
                Files.delete(memory);
            }
        }
        return new Fingerprints(memory, JSON.createObjectNode());
    }

    /** A hash of a model: of its file, or of its folder's JSON and weight files. Told progress in MB. */
    public String of(Path model, Progress progress) throws IOException {
        List<Path> files = files(model);
        long bytes = 0;
        for (Path file : files) {
            bytes += Files.size(file);
        }
        progress.begin("reading the model", bytes >> 20, "MB");
        StringBuilder text = new StringBuilder();
        for (Path file : files) {
            text.append(file.getFileName())
                    .append(' ')
                    .append(hash(file, progress))
                    .append('\n');
        }
        progress.end();
        AtomicFile.write(memory, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(known));
        return Hashes.sha256(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static List<Path> files(Path model) throws IOException {
        if (!Files.isDirectory(model)) {
            return List.of(model);
        }
        try (Stream<Path> inside = Files.list(model)) {
            return inside.filter(file -> file.toString().matches(".*\\.(json|safetensors|bin|model)"))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .toList();
        }
    }

    private String hash(Path file, Progress progress) throws IOException {
        long size = Files.size(file);
        String changed = Files.getLastModifiedTime(file).toInstant().toString();
        String place = file.toRealPath().toString();
        JsonNode before = known.path(place);
        if (before.path("bytes").asLong(-1) == size
                && before.path("changed").asText().equals(changed)) {
            progress.advance(size >> 20);
            return before.path("sha256").asText();
        }
        long[] rest = {0};
        String hash = Hashes.sha256(file, read -> {
            long total = rest[0] + read;
            progress.advance(total >> 20);
            rest[0] = total & ((1 << 20) - 1);
        });
        known.putObject(place).put("bytes", size).put("changed", changed).put("sha256", hash);
        return hash;
    }
}
