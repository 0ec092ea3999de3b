package dev.demitasse.recipes.language;

import java.math.BigDecimal;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers as people write them: {@code 3e-4}, {@code 2M}, {@code 10_000}, {@code 90MB}, {@code 1.5GiB}. */
public final class Numbers {
    private static final Pattern NUMBER =
            Pattern.compile("([-+]?(?:\\d[\\d_]*(?:\\.\\d*)?|\\.\\d+)(?:[eE][-+]?\\d{1,4})?)\\s*([A-Za-z]*)");
    private static final Map<String, Long> COUNTS = Map.of("", 1L, "k", 1_000L, "M", 1_000_000L, "G", 1_000_000_000L);
    private static final Map<String, Long> SIZES = Map.of(
            "",
            1L,
            "B",
            1L,
            "kB",
            1_000L,
            "KB",
            1_000L,
            "MB",
            1_000_000L,
            "GB",
            1_000_000_000L,
            "KiB",
            1L << 10,
            "MiB",
            1L << 20,
            "GiB",
            1L << 30);

    private Numbers() {}

    static double number(String text) {
        double value = scaled(text, Map.of("", 1L), "a number").doubleValue();
        if (!Double.isFinite(value)) {
            throw new BadValue("must be a number, is " + text);
        }
        return value;
    }

    /** A whole number; {@code k}, {@code M} and {@code G} are powers of 1000. */
    static long count(String text) {
        return whole(scaled(text, COUNTS, "a whole number such as 200 or 2M"), text);
    }

    /** Bytes; {@code MB} is 10⁶, {@code MiB} is 2²⁰. */
    static double bytes(String text) {
        return scaled(text, SIZES, "a size such as 90MB").doubleValue();
    }

    private static BigDecimal scaled(String text, Map<String, Long> units, String expected) {
        Matcher matcher = NUMBER.matcher(text);
        if (!matcher.matches() || !units.containsKey(matcher.group(2))) {
            throw new BadValue("must be %s, is '%s'".formatted(expected, text));
        }
        return new BigDecimal(matcher.group(1).replace("_", ""))
                .multiply(BigDecimal.valueOf(units.get(matcher.group(2))));
    }

    private static long whole(BigDecimal value, String text) {
        try {
            return value.longValueExact();
        } catch (ArithmeticException e) {
            throw new BadValue("must be a whole number such as 200 or 2M, is " + text);
        }
    }

    /** Without a decimal point where it has no use. */
    static String plain(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? Long.toString((long) value)
                : Double.toString(value);
    }
}
