package dev.demitasse.recipes.language;

import java.util.Optional;

/**
 * A key of the recipe language: the one place that knows its name, what it may hold, its default and its meaning. The
 * reference in docs/recipes.md is written from these.
 *
 * @param name as written in a recipe
 * @param kind what it may hold
 * @param otherwise the value where it is not written, in the words of a recipe
 * @param required whether it must be written; if not and {@code otherwise} is empty, leaving it out means something
 *     that {@code meaning} tells
 * @param meaning for the reference, a clause
 */
record Key<T>(String name, Kind<T> kind, Optional<String> otherwise, boolean required, String meaning) {

    /** A key with a default. */
    static <T> Key<T> of(String name, Kind<T> kind, String otherwise, String meaning) {
        return new Key<>(name, kind, Optional.of(otherwise), false, meaning);
    }

    /** A key that must be written. */
    static <T> Key<T> required(String name, Kind<T> kind, String meaning) {
        return new Key<>(name, kind, Optional.empty(), true, meaning);
    }

    /** A key that may be left out. */
    static <T> Key<T> optional(String name, Kind<T> kind, String meaning) {
        return new Key<>(name, kind, Optional.empty(), false, meaning);
    }
}
