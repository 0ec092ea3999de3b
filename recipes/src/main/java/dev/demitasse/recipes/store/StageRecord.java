package dev.demitasse.recipes.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * stage.json: what a stage's result came from.
 *
 * @param id the stage
 * @param key what it depends on
 * @param finished when it was committed, ISO 8601
 * @param seconds how long the stage worked, resumed runs added up
 * @param files bytes of each file of the result, by its path from the run's folder
 */
public record StageRecord(String id, StageKey key, String finished, double seconds, Map<String, Long> files) {
    static final String FILE = "stage.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    String toJson() throws IOException {
        ObjectNode node = JSON.createObjectNode();
        node.put("id", id).put("key", key.hash());
        ObjectNode inputs = node.putObject("inputs");
        key.inputs().forEach(inputs::put);
        node.put("finished", finished).put("seconds", Math.round(seconds * 1000) / 1000.0);
        ObjectNode sizes = node.putObject("files");
        files.forEach(sizes::put);
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(node) + "\n";
    }

    /** Reads a stage's record; nothing where there is none, or none that can be read: the stage is done again then. */
    static Optional<StageRecord> read(Path stageFolder) throws IOException {
        Path file = stageFolder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            JsonNode node = JSON.readTree(file.toFile());
            Map<String, String> inputs = new LinkedHashMap<>();
            node.path("inputs")
                    .properties()
                    .forEach(
                            entry -> inputs.put(entry.getKey(), entry.getValue().asText()));
            Map<String, Long> files = new LinkedHashMap<>();
            node.path("files")
                    .properties()
                    .forEach(entry -> files.put(entry.getKey(), entry.getValue().asLong()));
            StageKey key = new StageKey(inputs);
            return key.hash().equals(node.path("key").asText())
                    ? Optional.of(new StageRecord(
                            node.path("id").asText(),
                            key,
                            node.path("finished").asText(),
                            node.path("seconds").asDouble(),
                            files))
                    : Optional.empty();
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
    }
}
