package dev.demitasse.recipes.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.recipes.run.Scores.Sheet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** metrics.json: what was measured of every model of a run, so that nothing is measured twice. */
final class Sheets {
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            // What another version measured may lack figures that this one tells.
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

    private final Path file;
    private final Map<String, Sheet> sheets;

    private Sheets(Path file, Map<String, Sheet> sheets) {
        this.file = file;
        this.sheets = sheets;
    }

    /** Figures that cannot be read are measured again. */
    static Sheets open(Path file) throws IOException {
        Map<String, Sheet> sheets = new LinkedHashMap<>();
        if (Files.exists(file)) {
            try {
                sheets.putAll(JSON.readValue(Files.readString(file), new TypeReference<Map<String, Sheet>>() {}));
            } catch (JsonProcessingException e) {
                Files.delete(file);
            }
        }
        return new Sheets(file, sheets);
    }

    /** What was measured of {@code id}, if that was under the same {@code key}. */
    Optional<Sheet> find(String id, String key) {
        return Optional.ofNullable(sheets.get(id)).filter(sheet -> sheet.key().equals(key));
    }

    void put(String id, Sheet sheet) throws IOException {
        sheets.put(id, sheet);
        save();
    }

    /** Forgets models that the recipe no longer has. */
    void keep(List<String> ids) throws IOException {
        if (sheets.keySet().retainAll(ids)) {
            save();
        }
    }

    private void save() throws IOException {
        AtomicFile.write(file, JSON.writeValueAsString(sheets) + "\n");
    }
}
