package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.Node.Entry;
import dev.demitasse.recipes.language.Node.Mapping;
import dev.demitasse.recipes.language.Node.Nothing;
import dev.demitasse.recipes.language.Node.Text;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Reads one mapping of a recipe by the keys of its {@link Section}: takes what is written, or the default, and notes what
 * is wrong instead of stopping. Every value that was read, defaults too, is kept for recipe.lock.yaml.
 */
final class Fields {
    private final Section section;
    private final String path;
    private final Mapping mapping;
    private final Mistakes mistakes;
    private final Map<String, Object> lock;

    /**
     * @param path what errors put before a key: {@code quantize}, or nothing at the top
     * @param lock is filled as keys are read
     */
    Fields(Section section, String path, Node node, Mistakes mistakes, Map<String, Object> lock) {
        this.section = section;
        this.path = path;
        this.mistakes = mistakes;
        this.lock = lock;
        this.mapping = written(node);
        mapping.entries().forEach((key, entry) -> {
            if (!section.names().contains(key)) {
                mistakes.add(entry.key(), label(key) + ": there is no such key" + Suggestion.of(key, section.names()));
            }
        });
    }

    /** A key that holds nothing was not written; that is how an override takes one away. */
    private Mapping written(Node node) {
        return switch (node) {
            case Mapping all ->
                all.without(all.entries().entrySet().stream()
                        .filter(entry -> entry.getValue().value() instanceof Nothing)
                        .map(Map.Entry::getKey)
                        .toList());
            case Nothing nothing -> new Mapping(Map.of(), node.origin());
            case Text text -> notMapping(node);
            case Node.Sequence sequence -> notMapping(node);
        };
    }

    private Mapping notMapping(Node node) {
        mistakes.add(
                node.origin(),
                "%s: must be a mapping with %s, is %s"
                        .formatted(
                                path.isEmpty() ? "the recipe" : path,
                                String.join(", ", section.names()),
                                node.words()));
        return new Mapping(Map.of(), node.origin());
    }

    /** Whether the key was written, rightly or not. */
    boolean has(Key<?> key) {
        return mapping.entries().containsKey(key.name());
    }

    /** Whether it was set on the command line. */
    boolean overridden(Key<?> key) {
        return has(key) && node(key).origin().overriding();
    }

    /** The value, or the default. A mistake gives the default or, without one, the kind's placeholder. */
    <T> T get(Key<T> key) {
        Optional<T> written = find(key);
        if (written.isPresent()) {
            return written.get();
        }
        if (key.required() && !has(key)) {
            mistakes.add(
                    mapping.origin(),
                    label(key.name()) + ": is missing; it takes " + key.kind().words());
        }
        T value = otherwise(key);
        record(key, value);
        return value;
    }

    /** The default, whatever is written. */
    <T> T otherwise(Key<T> key) {
        return key.otherwise()
                .map(text -> key.kind().reader().apply(new Text(text, mapping.origin())))
                .orElse(key.kind().placeholder());
    }

    /** The value if it was written and can be read. */
    <T> Optional<T> find(Key<T> key) {
        Entry entry = mapping.entries().get(key.name());
        if (entry == null) {
            return Optional.empty();
        }
        try {
            T value = key.kind().reader().apply(entry.value());
            record(key, value);
            return Optional.of(value);
        } catch (BadValue e) {
            mistakes.add(entry.value().origin(), label(key.name()) + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    /** The default that depends on other keys, where nothing was written. */
    <T> T get(Key<T> key, T otherwise) {
        T value = find(key).orElse(otherwise);
        record(key, value);
        return value;
    }

    private <T> void record(Key<T> key, T value) {
        lock.put(key.name(), key.kind().writer().apply(value));
    }

    /** The mapping under {@code key}, all its keys left out where it is not written. */
    Fields section(Key<Node> key, Section inner) {
        return section(key, inner, label(key.name()));
    }

    /** As {@link #section(Key, Section)}, errors naming it {@code label}. */
    Fields section(Key<Node> key, Section inner, String label) {
        return section(key, inner, label, UnaryOperator.identity());
    }

    /** As {@link #section(Key, Section, String)}, after {@code spellOut} undid a short form. */
    Fields section(Key<Node> key, Section inner, String label, UnaryOperator<Node> spellOut) {
        Map<String, Object> innerLock = new LinkedHashMap<>();
        lock.put(key.name(), innerLock);
        return new Fields(inner, label, spellOut.apply(node(key)), mistakes, innerLock);
    }

    /** What stands under {@code key}. */
    Node node(Key<?> key) {
        Entry entry = mapping.entries().get(key.name());
        return entry == null ? new Nothing(mapping.origin()) : entry.value();
    }

    /** Notes that the value of {@code key} is wrong for a reason that its kind cannot know. */
    void wrong(Key<?> key, String problem) {
        Entry entry = mapping.entries().get(key.name());
        mistakes.add(entry == null ? mapping.origin() : entry.value().origin(), label(key.name()) + ": " + problem);
    }

    /** Notes that the mapping as a whole is wrong. */
    void wrong(String problem) {
        mistakes.add(mapping.origin(), (path.isEmpty() ? "" : path + ": ") + problem);
    }

    /**
     * The one of {@code keys} that is written; none or several is a mistake.
     *
     * @return empty if there is none
     */
    Optional<Key<?>> one(List<Key<?>> keys) {
        List<Key<?>> written = keys.stream().filter(this::has).toList();
        String all = String.join(", ", keys.stream().map(Key::name).toList());
        if (written.isEmpty()) {
            wrong("needs one of " + all);
        }
        if (written.size() > 1) {
            wrong(
                    written.get(1),
                    "stands beside %s; there can be one of %s"
                            .formatted(written.get(0).name(), all));
        }
        return written.stream().findFirst();
    }

    private String label(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    Mistakes mistakes() {
        return mistakes;
    }
}
