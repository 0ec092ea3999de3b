package dev.demitasse.datasets.stories;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Things of one kind, of which a story draws one: places, weathers, colors. */
record Table(List<Row> rows) {
    Table {
        rows = List.copyOf(rows);
    }

    /**
     * One thing.
     *
     * @param fields alternatives by column; those of the first column also under the name {@code ""}
     * @param marks what is true of it: {@code light}, {@code breaks}
     */
    record Row(Map<String, List<String>> fields, Set<String> marks) {
        Row {
            // In the order of names, so that the same seed draws the same values.
            fields = Collections.unmodifiableMap(new TreeMap<>(fields));
            marks = Set.copyOf(marks);
        }

        /** A value for each column; further ones, all different, as {@code column2}, {@code column3}. */
        Map<String, String> draw(SplittableRandom random) {
            Map<String, String> drawn = new HashMap<>();
            fields.forEach((column, alternatives) -> {
                List<String> values = new ArrayList<>(alternatives);
                for (int last = values.size() - 1; last > 0; last--) {
                    Collections.swap(values, last, random.nextInt(last + 1));
                }
                for (int index = 0; index < values.size(); index++) {
                    drawn.put(index == 0 ? column : column + (index + 1), values.get(index));
                }
            });
            return drawn;
        }
    }

    /** One of the rows that have {@code mark}; of all of them if it is empty. */
    Row draw(String mark, SplittableRandom random) {
        List<Row> fitting = mark.isEmpty()
                ? rows
                : rows.stream().filter(row -> row.marks().contains(mark)).toList();
        return fitting.get(random.nextInt(fitting.size()));
    }
}
