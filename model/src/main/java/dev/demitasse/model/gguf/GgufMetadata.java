package dev.demitasse.model.gguf;

import dev.demitasse.model.MalformedModelException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A GGUF file's key-value pairs. Integers of every width are Long (a u64 past 2⁶³ is refused by the reader), floats are
 * Double, and there are Boolean, String, and List of those.
 */
public record GgufMetadata(Path path, Map<String, Object> values) {
    public GgufMetadata {
        values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /** Whether the key is there, whatever its value. */
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** A whole number above 0. */
    public int size(String key) {
        return find(key).orElseThrow(() -> malformed(key, "is missing"));
    }

    public int size(String key, int otherwise) {
        return find(key).orElse(otherwise);
    }

    private Optional<Integer> find(String key) {
        Object value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof Long number && number >= 1 && number <= Integer.MAX_VALUE) {
            return Optional.of(number.intValue());
        }
        throw malformed(key, "must be a whole number from 1 to 2147483647, is " + describe(value));
    }

    /** Whether the key's value is an array. */
    public boolean isList(String key) {
        return values.get(key) instanceof List<?>;
    }

    /** A size that is one number for all layers or an array with one for each. */
    public Optional<Integer> perLayer(String key, int layer) {
        if (!(values.get(key) instanceof List<?> list)) {
            return find(key);
        }
        if (layer < list.size()
                && list.get(layer) instanceof Long number
                && number >= 1
                && number <= Integer.MAX_VALUE) {
            return Optional.of(number.intValue());
        }
        throw malformed(key, "has no whole number above 0 for layer " + layer);
    }

    public double number(String key, double otherwise) {
        double number = switch (values.get(key)) {
            case null -> otherwise;
            case Double floating -> floating;
            case Long whole -> whole;
            case Object other -> throw malformed(key, "must be a number, is " + describe(other));
        };
        if (!Double.isFinite(number)) {
            throw malformed(key, "must be a finite number, is " + number);
        }
        return number;
    }

    public boolean flag(String key, boolean otherwise) {
        return switch (values.get(key)) {
            case null -> otherwise;
            case Boolean flag -> flag;
            case Object other -> throw malformed(key, "must be true or false, is " + describe(other));
        };
    }

    public Optional<String> text(String key) {
        return switch (values.get(key)) {
            case null -> Optional.empty();
            case String text -> Optional.of(text);
            case Object other -> throw malformed(key, "must be text, is " + describe(other));
        };
    }

    /** A token id, 0 or above, if the key is there. */
    public OptionalInt id(String key) {
        Object value = values.get(key);
        if (value == null) {
            return OptionalInt.empty();
        }
        if (value instanceof Long number && number >= 0 && number <= Integer.MAX_VALUE) {
            return OptionalInt.of(number.intValue());
        }
        throw malformed(key, "must be a token id, is " + describe(value));
    }

    /** An array whose elements all are of {@code type}: Long, Double, Boolean or String. */
    public <T> Optional<List<T>> list(String key, Class<T> type) {
        Object value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof List<?> list && list.stream().allMatch(type::isInstance)) {
            return Optional.of(list.stream().map(type::cast).toList());
        }
        throw malformed(key, "must be an array of " + type.getSimpleName() + ", is " + describe(value));
    }

    /** An error about {@code key}. */
    public MalformedModelException malformed(String key, String problem) {
        return new MalformedModelException(path, "metadata '" + key + "' " + problem, "the file was written wrongly");
    }

    private static String describe(Object value) {
        if (value instanceof List<?> list) {
            return "an array of " + list.size();
        }
        String text = value.toString();
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }
}
