package dev.demitasse.recipes.report;

import static dev.demitasse.recipes.report.Html.element;

import java.util.ArrayList;
import java.util.List;

/** A table of texts, titles on top. */
final class SimpleTable {
    private SimpleTable() {}

    static Html html(List<String> titles, List<List<String>> rows) {
        List<Html> head = titles.stream()
                .map(title -> element("th").with("scope", "col").around(title))
                .toList();
        List<Html> body = new ArrayList<>();
        for (List<String> row : rows) {
            List<Html> cells = new ArrayList<>();
            for (int i = 0; i < row.size(); i++) {
                cells.add(element("td").with("data-label", titles.get(i)).around(row.get(i)));
            }
            body.add(element("tr").around(cells));
        }
        return element("div", "wide")
                .around(element("table")
                        .around(
                                element("thead").around(element("tr").around(head)),
                                element("tbody").around(body)));
    }

    static String markdown(List<String> titles, List<List<String>> rows) {
        StringBuilder table = new StringBuilder();
        table.append(line(titles));
        table.append("|").append(" --- |".repeat(titles.size())).append('\n');
        rows.forEach(row -> table.append(line(row)));
        return table.append('\n').toString();
    }

    private static String line(List<String> cells) {
        StringBuilder line = new StringBuilder("|");
        cells.forEach(cell -> line.append(' ').append(Markdown.escape(cell)).append(" |"));
        return line.append('\n').toString();
    }
}
