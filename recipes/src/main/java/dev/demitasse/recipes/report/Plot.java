package dev.demitasse.recipes.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;

/**
 * A drawing with two axes, as SVG inside the page: colours come from the page's style sheet, so that it follows the
 * reader's light or dark setting, and no font or picture library is needed to make it.
 */
final class Plot {
    static final double WIDTH = 560;
    static final double HEIGHT = 330;
    private static final double LEFT = 58;
    private static final double RIGHT = 14;
    private static final double TOP = 30;
    private static final double BOTTOM = 48;
    /** Where the horizontal axis lies. */
    static final double FLOOR = HEIGHT - BOTTOM;

    private final Axis horizontal;
    private final Axis vertical;
    private final List<Html> shapes = new ArrayList<>();

    /**
     * @param horizontalTitle what stands along the bottom
     * @param verticalTitle what stands along the side, written above it
     */
    Plot(
            Axis horizontal,
            String horizontalTitle,
            DoubleFunction<String> horizontalLabel,
            Axis vertical,
            String verticalTitle) {
        this.horizontal = horizontal;
        this.vertical = vertical;
        for (double tick : vertical.ticks()) {
            line("grid", LEFT, y(tick), WIDTH - RIGHT, y(tick));
            text("tick", LEFT - 8, y(tick) + 4.5, "end", Figures.tick(tick));
        }
        double nextFree = Double.NEGATIVE_INFINITY;
        for (double tick : horizontal.ticks()) {
            String label = horizontalLabel.apply(tick);
            line("mark", x(tick), FLOOR, x(tick), FLOOR + 5);
            if (x(tick) - textWidth(label) / 2 > nextFree) {
                text("tick", x(tick), FLOOR + 20, "middle", label);
                nextFree = x(tick) + textWidth(label) / 2 + 6;
            }
        }
        line("axis", LEFT, FLOOR, WIDTH - RIGHT, FLOOR);
        text("title", WIDTH - RIGHT, HEIGHT - 6, "end", horizontalTitle);
        text("title", 0, 14, "start", verticalTitle);
    }

    double x(double value) {
        return LEFT + horizontal.position(value) * (WIDTH - LEFT - RIGHT);
    }

    double y(double value) {
        return FLOOR - vertical.position(value) * (HEIGHT - TOP - BOTTOM);
    }

    /** About how wide {@code text} is drawn. */
    static double textWidth(String text) {
        return 7.2 * text.codePointCount(0, text.length());
    }

    void line(String cssClass, double fromX, double fromY, double toX, double toY) {
        shapes.add(Html.element("line", cssClass)
                .with("x1", fromX)
                .with("y1", fromY)
                .with("x2", toX)
                .with("y2", toY)
                .empty());
    }

    /** A line through {@code values}, each {x, y}. */
    void path(String cssClass, List<double[]> values) {
        StringBuilder points = new StringBuilder();
        for (double[] value : values) {
            points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(value[0]), y(value[1])));
        }
        shapes.add(Html.element("polyline", cssClass)
                .with("points", points.toString().strip())
                .empty());
    }

    /** A dot at values {@code x}, {@code y}; {@code note} shows when it is pointed at. */
    void dot(String cssClass, double x, double y, double radius, String note) {
        shapes.add(Html.element("circle", cssClass)
                .with("cx", x(x))
                .with("cy", y(y))
                .with("r", radius)
                .around(Html.element("title").around(note)));
    }

    /** Text at a place of the drawing, not of the axes. */
    void text(String cssClass, double x, double y, String anchor, String text) {
        shapes.add(Html.element("text", cssClass)
                .with("x", x)
                .with("y", y)
                .with("text-anchor", anchor)
                .around(text));
    }

    /** The drawing; {@code description} is what a screen reader says. */
    Html finish(String description) {
        return Html.element("svg", "plot")
                .with("viewBox", "0 0 " + Html.coordinate(WIDTH) + " " + Html.coordinate(HEIGHT))
                .with("role", "img")
                .with("aria-label", description)
                .around(shapes);
    }
}
