package dev.demitasse.datasets.stories;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Everything that stories are made of, read from the text files beside this class (see each for its form).
 *
 * @param tables by the name of one thing in them: {@code place}
 * @param phrases ways to say each, by name
 */
record Library(Map<String, Table> tables, Map<String, List<Wording>> phrases, List<Plot> plots) {
    /**
     * One way to say a phrase.
     *
     * @param needs the thing that the story must have mentioned before; empty if none
     */
    record Wording(String needs, Template template) {
        private static final Pattern NEEDS = Pattern.compile("(\\w+)\\? (.*)");

        /** Reads {@code thing? template} or {@code template}. */
        static Wording parse(String text) {
            Matcher matcher = NEEDS.matcher(text);
            return matcher.matches() && Character.isLowerCase(text.charAt(0))
                    ? new Wording(matcher.group(1), Template.parse(matcher.group(2)))
                    : new Wording("", Template.parse(text));
        }
    }

    private static final List<String> PLOT_FILES = List.of("friends.txt", "courage.txt", "honesty.txt", "work.txt");

    static Library read() {
        List<Plot> plots = new ArrayList<>();
        for (String file : PLOT_FILES) {
            plots.addAll(new PlotReader(file).read(lines(file)));
        }
        return new Library(tables(lines("words.txt")), phrases(lines("phrases.txt")), List.copyOf(plots));
    }

    private static List<String> lines(String file) {
        try (InputStream input = Library.class.getResourceAsStream(file)) {
            if (input == null) {
                throw new IllegalStateException("the class path has no " + file);
            }
            return new String(input.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, Table> tables(List<String> lines) {
        Map<String, Table> tables = new HashMap<>();
        for (int at = 0; at < lines.size(); ) {
            String name = lines.get(at).substring("table ".length());
            String[] columns = cells(lines.get(at + 1));
            List<Table.Row> rows = new ArrayList<>();
            for (at += 2; at < lines.size() && !lines.get(at).startsWith("table "); at++) {
                rows.add(row(columns, lines.get(at)));
            }
            tables.put(name, new Table(rows));
        }
        return Map.copyOf(tables);
    }

    private static Table.Row row(String[] columns, String line) {
        Set<String> marks = new HashSet<>();
        StringBuilder rest = new StringBuilder();
        for (String word : line.split(" ")) {
            if (word.startsWith("@")) {
                marks.add(word.substring(1));
            } else {
                rest.append(word).append(' ');
            }
        }
        String[] values = cells(rest.toString());
        Map<String, List<String>> fields = new LinkedHashMap<>();
        for (int column = 0; column < columns.length; column++) {
            fields.put(columns[column], List.of(values[column].split("\\s*;\\s*")));
        }
        fields.put("", List.of(values[0].split("\\s*;\\s*")));
        return new Table.Row(fields, marks);
    }

    private static Map<String, List<Wording>> phrases(List<String> lines) {
        Map<String, List<Wording>> phrases = new HashMap<>();
        for (String line : lines) {
            int equals = line.indexOf(" =");
            List<Wording> alternatives = phrases.computeIfAbsent(line.substring(0, equals), name -> new ArrayList<>());
            // A bar with spaces around it parts alternatives, one without parts the choices in brackets.
            for (String alternative : line.substring(equals + 2).split(" \\|(?= |$)", -1)) {
                alternatives.add(Wording.parse(alternative.strip()));
            }
        }
        return Map.copyOf(phrases);
    }

    private static String[] cells(String line) {
        return Arrays.stream(line.split("\\|")).map(String::strip).toArray(String[]::new);
    }
}
