package dev.demitasse.recipes.language;

import java.util.List;
import java.util.stream.Stream;

/**
 * A mapping of the recipe language.
 *
 * @param name where it stands
 * @param meaning a sentence for the reference
 * @param keys all it may hold
 */
record Section(String name, String meaning, List<Key<?>> keys) {
    Section {
        keys = List.copyOf(keys);
    }

    Section(String name, String meaning, Key<?>... keys) {
        this(name, meaning, List.of(keys));
    }

    /** The same with more keys. */
    Section plus(List<Key<?>> more) {
        return new Section(
                name, meaning, Stream.concat(keys.stream(), more.stream()).toList());
    }

    List<String> names() {
        return keys.stream().map(Key::name).toList();
    }
}
