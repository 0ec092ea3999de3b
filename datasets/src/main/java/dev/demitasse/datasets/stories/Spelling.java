package dev.demitasse.datasets.stories;

import java.util.regex.Pattern;

/** Makes what templates yield proper English: spaces, {@code an} before vowels, capitals where sentences start. */
final class Spelling {
    private static final Pattern SPACES = Pattern.compile(" {2,}");
    private static final Pattern SPACES_AT_LINES = Pattern.compile(" ?\n ?");
    private static final Pattern ARTICLE = Pattern.compile("\\b([Aa]) (?=[aeiouAEIOU])");
    private static final Pattern START = Pattern.compile("(?:^|\n|[.!?] |\\.\" )\\p{Ll}");

    private Spelling() {}

    static String correct(String text) {
        String spaced = SPACES_AT_LINES
                .matcher(SPACES.matcher(text).replaceAll(" "))
                .replaceAll("\n")
                .strip();
        String articles = ARTICLE.matcher(spaced).replaceAll("$1n ");
        return START.matcher(articles).replaceAll(match -> {
            String found = match.group();
            int last = found.length() - 1;
            return found.substring(0, last) + Character.toUpperCase(found.charAt(last));
        });
    }
}
