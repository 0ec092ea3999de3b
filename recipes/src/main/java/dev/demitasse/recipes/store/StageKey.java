package dev.demitasse.recipes.store;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Everything a stage's result depends on, by name: the code, the work's options, the seed, and hashes of the stages, the
 * model and the texts that it reads. Equal keys, equal results.
 */
public record StageKey(Map<String, String> inputs) {
    public StageKey {
        inputs = Collections.unmodifiableMap(new LinkedHashMap<>(inputs));
    }

    /** One hash of all inputs, SHA-256 in hexadecimal. */
    public String hash() {
        StringBuilder text = new StringBuilder();
        // Lengths stand before names and values, so that no two different maps give the same text.
        inputs.forEach((name, value) -> text.append(name.length())
                .append(' ')
                .append(name)
                .append(value.length())
                .append(' ')
                .append(value));
        return Hashes.sha256(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** The names of the inputs that differ, the result of {@code older} being there already. */
    public List<String> differences(StageKey older) {
        LinkedHashMap<String, String> all = new LinkedHashMap<>(older.inputs);
        all.putAll(inputs);
        return all.keySet().stream()
                .filter(name -> !Objects.equals(inputs.get(name), older.inputs.get(name)))
                .toList();
    }
}
