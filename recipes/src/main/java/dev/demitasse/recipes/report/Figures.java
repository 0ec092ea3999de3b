package dev.demitasse.recipes.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/** Numbers as people read them. What was not measured (NaN) is a dash. */
final class Figures {
    static final String ABSENT = "–";
    private static final List<String> BYTE_UNITS = List.of("B", "kB", "MB", "GB", "TB");
    private static final List<String> COUNT_UNITS = List.of("", "k", "M", "B", "T");

    private Figures() {}

    /** Four significant digits, and all before the point; powers of ten where a plain number would be mostly zeros. */
    static String number(double value) {
        return number(value, 4);
    }

    static String number(double value, int digits) {
        if (Double.isNaN(value)) {
            return ABSENT;
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "∞" : "−∞";
        }
        double size = Math.abs(value);
        if (size != 0 && (size < 1e-3 || size >= 1e7)) {
            return String.format(Locale.ROOT, "%." + Math.max(0, digits - 2) + "e", value)
                    .replaceFirst("e([+-])0*(\\d)", "e$1$2")
                    .replace("e+", "e")
                    .replace("-", "−");
        }
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_EVEN));
        int exponent = rounded.precision() - rounded.scale() - 1;
        int decimals = size == 0 ? 0 : Math.max(0, digits - 1 - exponent);
        return String.format(Locale.ROOT, "%,." + decimals + "f", value).replace("-", "−");
    }

    /** A round number, without zeros at its end. */
    static String tick(double value) {
        return trimmed(number(value, 3));
    }

    /** {@code text} without the zeros that end its decimals: {@code 2.50 MB} becomes {@code 2.5 MB}. */
    static String trimmed(String text) {
        return text.replaceFirst("(\\.\\d*?)0+(?!\\d)", "$1").replaceFirst("\\.(?!\\d)", "");
    }

    /** A part of a whole, in percent. */
    static String percent(double part) {
        return Double.isNaN(part) ? ABSENT : fixed(100 * part, 1) + " %";
    }

    /** How much more or less than the whole, in percent, with its sign. */
    static String change(double part) {
        if (Double.isNaN(part)) {
            return ABSENT;
        }
        double percent = 100 * part;
        String text = Math.abs(percent) < 0.1 ? number(percent, 2) : fixed(percent, 1);
        return (percent > 0 ? "+" : "") + text + " %";
    }

    /** A multiple: {@code 5.2×}. */
    static String times(double ratio) {
        return Double.isNaN(ratio) || Double.isInfinite(ratio) ? ABSENT : number(ratio, ratio < 10 ? 2 : 3) + "×";
    }

    /** Three significant digits, decimal units. */
    static String bytes(long bytes) {
        return scaled(bytes, BYTE_UNITS, " ");
    }

    /** Three significant digits: {@code 1.26M}. */
    static String count(long count) {
        return scaled(count, COUNT_UNITS, "");
    }

    private static String scaled(long value, List<String> units, String space) {
        double scaled = value;
        int unit = 0;
        while (scaled >= 999.5 && unit < units.size() - 1) {
            scaled /= 1000;
            unit++;
        }
        return (unit == 0 ? Long.toString(value) : number(scaled, 3))
                + (units.get(unit).isEmpty() ? "" : space)
                + units.get(unit);
    }

    /** Whole tokens, or three digits below a hundred. */
    static String rate(double perSecond) {
        return Double.isNaN(perSecond)
                ? ABSENT
                : perSecond < 100 ? number(perSecond, 3) : String.format(Locale.ROOT, "%,.0f", perSecond);
    }

    static String duration(Duration duration) {
        double seconds = duration.toMillis() / 1000.0;
        if (seconds < 1) {
            return duration.toMillis() + " ms";
        }
        if (seconds < 60) {
            return number(seconds, 3) + " s";
        }
        long whole = Math.round(seconds);
        return whole < 3600
                ? "%d min %02d s".formatted(whole / 60, whole % 60)
                : "%d h %02d min".formatted(whole / 3600, whole % 3600 / 60);
    }

    private static String fixed(double value, int decimals) {
        return String.format(Locale.ROOT, "%,." + decimals + "f", value).replace("-", "−");
    }
}
