package dev.demitasse.recipes.language;

import java.nio.file.Path;

/**
 * Where something of a recipe was written.
 *
 * @param where what an error begins with: {@code recipes/mine.yaml:9} or {@code --set model=x}
 * @param order sorts errors: the line; overrides come after the file
 * @param base what relative paths written there are relative to
 */
record Origin(String where, int order, Path base) {
    private static final int OVERRIDES = Integer.MAX_VALUE / 2;

    /** A line of the recipe file, from 1; paths there are relative to the file's folder. */
    static Origin line(Path file, int line) {
        Path parent = file.toAbsolutePath().getParent();
        return new Origin(file + ":" + line, line, parent == null ? file.toAbsolutePath() : parent);
    }

    /** The {@code index}-th {@code --set}; paths there are relative to the current directory. */
    static Origin override(String assignment, int index) {
        return new Origin("--set " + assignment, OVERRIDES + index, Path.of("").toAbsolutePath());
    }

    /** Whether it is a {@code --set}. */
    boolean overriding() {
        return order >= OVERRIDES;
    }
}
