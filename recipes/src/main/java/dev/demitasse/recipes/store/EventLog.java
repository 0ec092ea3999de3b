package dev.demitasse.recipes.store;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** events.jsonl: what happened in a folder's runs and when, one JSON object a line, only ever added to. */
public final class EventLog {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private final InstantSource clock;

    EventLog(Path file, InstantSource clock) {
        this.file = file;
        this.clock = clock;
    }

    /**
     * Adds a line {@code {"time": …, "type": …, …}}.
     *
     * @param type what happened: {@code stage_committed}
     * @param details numbers, texts, lists and maps of them
     */
    public synchronized void add(String type, Map<String, ?> details) throws IOException {
        Instant now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("time", now.toString());
        line.put("type", type);
        line.putAll(details);
        Files.write(
                file,
                (JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8),
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }
}
