package dev.demitasse.recipes.language;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** What someone who mistyped probably meant. */
final class Suggestion {
    private Suggestion() {}

    /** {@code ; did you mean a or b?}, or where nothing is near, {@code ; there is: a, b, c}. */
    static String of(String written, Collection<String> known) {
        List<String> near = near(written, known);
        if (!near.isEmpty()) {
            String last = near.getLast();
            String others = String.join(", ", near.subList(0, near.size() - 1));
            return "; did you mean " + (others.isEmpty() ? last : others + " or " + last) + "?";
        }
        return known.isEmpty() ? "" : "; there is: " + String.join(", ", known);
    }

    /** The nearest of {@code known}, if they are near enough to be meant: a third of the letters may be wrong. */
    private static List<String> near(String written, Collection<String> known) {
        String lower = written.toLowerCase(Locale.ROOT);
        int allowed = Math.max(1, lower.length() / 3);
        int least = known.stream().mapToInt(word -> distance(lower, word)).min().orElse(Integer.MAX_VALUE);
        return known.stream()
                .filter(word -> least <= allowed && distance(lower, word) == least)
                .sorted(Comparator.naturalOrder())
                .limit(3)
                .toList();
    }

    /**
     * Edits from one word to the other: insertion, deletion, substitution, swap of neighbours (Damerau–Levenshtein, the
     * optimal string alignment variant).
     */
    static int distance(String from, String to) {
        int[][] edits = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int j = 0; j <= to.length(); j++) {
                if (i == 0 || j == 0) {
                    edits[i][j] = i + j;
                    continue;
                }
                int change = from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1;
                edits[i][j] = Math.min(edits[i - 1][j - 1] + change, 1 + Math.min(edits[i - 1][j], edits[i][j - 1]));
                if (i > 1
                        && j > 1
                        && from.charAt(i - 1) == to.charAt(j - 2)
                        && from.charAt(i - 2) == to.charAt(j - 1)) {
                    edits[i][j] = Math.min(edits[i][j], edits[i - 2][j - 2] + 1);
                }
            }
        }
        return edits[from.length()][to.length()];
    }
}
