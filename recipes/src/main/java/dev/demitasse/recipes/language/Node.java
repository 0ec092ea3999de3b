package dev.demitasse.recipes.language;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** YAML as it was written, every part with its place. What a text means is for the reader of its key to say. */
sealed interface Node {
    Origin origin();

    /** Any scalar but null, unquoted. */
    record Text(String text, Origin origin) implements Node {}

    /** A null or nothing at all. */
    record Nothing(Origin origin) implements Node {}

    /** A mapping's value with the place of its key. */
    record Entry(Origin key, Node value) {}

    /** Keys in the order they were written. */
    record Mapping(Map<String, Entry> entries, Origin origin) implements Node {
        public Mapping {
            entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
        }

        /** The same with one key set. */
        Mapping with(String key, Node value) {
            Map<String, Entry> changed = new LinkedHashMap<>(entries);
            changed.put(key, new Entry(value.origin(), value));
            return new Mapping(changed, origin);
        }

        Mapping without(List<String> keys) {
            Map<String, Entry> changed = new LinkedHashMap<>(entries);
            changed.keySet().removeAll(keys);
            return new Mapping(changed, origin);
        }
    }

    record Sequence(List<Node> elements, Origin origin) implements Node {
        public Sequence {
            elements = List.copyOf(elements);
        }
    }

    /** What it is, in words for an error. */
    default String words() {
        return switch (this) {
            case Text text -> "'" + text.text() + "'";
            case Nothing nothing -> "nothing";
            case Mapping mapping -> "a mapping";
            case Sequence sequence -> "a list";
        };
    }
}
