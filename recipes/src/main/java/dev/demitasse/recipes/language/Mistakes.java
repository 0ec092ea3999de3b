package dev.demitasse.recipes.language;

import dev.demitasse.model.InvalidRequestException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Everything that is wrong with a recipe, told at once. */
final class Mistakes {
    private record Mistake(Origin origin, String text) {}

    private final List<Mistake> found = new ArrayList<>();

    void add(Origin origin, String text) {
        found.add(new Mistake(origin, text));
    }

    int count() {
        return found.size();
    }

    boolean any() {
        return !found.isEmpty();
    }

    /** Throws one error that tells all mistakes, a line each, in the order of the file, if there are any. */
    void throwIfAny() {
        if (found.isEmpty()) {
            return;
        }
        String lines = found.stream()
                .sorted(Comparator.comparingInt(mistake -> mistake.origin().order()))
                .map(mistake -> mistake.origin().where() + ": " + mistake.text())
                .distinct()
                .collect(Collectors.joining("\n"));
        long count = lines.lines().count();
        throw new InvalidRequestException(
                lines + "\n" + (count == 1 ? "1 mistake" : count + " mistakes") + "; nothing was run");
    }
}
