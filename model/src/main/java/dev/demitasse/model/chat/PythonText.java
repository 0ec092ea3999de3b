package dev.demitasse.model.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's {@code str} that templates call (docs.python.org, "String Methods"). */
final class PythonText {
    private PythonText() {}

    static String strip(String text) {
        return strip(text, null, true, true);
    }

    /** What {@code text.method(arguments)} gives; null where there is no such method. */
    static @Nullable Object call(String text, String method, Object[] arguments) {
        String first = arguments.length > 0 && arguments[0] != null ? arguments[0].toString() : null;
        return switch (method) {
            case "strip" -> strip(text, first, true, true);
            case "lstrip" -> strip(text, first, true, false);
            case "rstrip" -> strip(text, first, false, true);
            case "split" -> split(text, first, limit(arguments), false);
            case "rsplit" -> split(text, first, limit(arguments), true);
            case "splitlines" -> text.lines().toList();
            case "startswith" -> any(arguments, text::startsWith);
            case "endswith" -> any(arguments, text::endsWith);
            case "removeprefix" -> first != null && text.startsWith(first) ? text.substring(first.length()) : text;
            case "removesuffix" ->
                first != null && text.endsWith(first) ? text.substring(0, text.length() - first.length()) : text;
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "title" -> title(text);
            case "capitalize" ->
                text.isEmpty()
                        ? text
                        : text.substring(0, 1).toUpperCase(Locale.ROOT)
                                + text.substring(1).toLowerCase(Locale.ROOT);
            case "replace" -> replace(text, Objects.requireNonNullElse(first, ""), arguments);
            case "find" -> (long) text.indexOf(Objects.requireNonNullElse(first, ""));
            case "count" ->
                (long) (text.length() - text.replace(required(first), "").length())
                        / required(first).length();
            case "isdigit" -> !text.isEmpty() && text.chars().allMatch(Character::isDigit);
            case "isalpha" -> !text.isEmpty() && text.chars().allMatch(Character::isLetter);
            case "isspace" -> !text.isEmpty() && text.isBlank();
            default -> null;
        };
    }

    private static String required(@Nullable String argument) {
        if (argument == null || argument.isEmpty()) {
            throw new IllegalStateException("an empty argument");
        }
        return argument;
    }

    private static String strip(String text, @Nullable String characters, boolean left, boolean right) {
        int start = 0;
        int end = text.length();
        while (left && start < end && stripped(text.charAt(start), characters)) {
            start++;
        }
        while (right && end > start && stripped(text.charAt(end - 1), characters)) {
            end--;
        }
        return text.substring(start, end);
    }

    private static boolean stripped(char character, @Nullable String characters) {
        boolean space = Character.isWhitespace(character) || Character.isSpaceChar(character) || character == '\u0085';
        return characters == null ? space : characters.indexOf(character) >= 0;
    }

    private static int limit(Object[] arguments) {
        return arguments.length > 1 && arguments[1] instanceof Number number && number.intValue() >= 0
                ? number.intValue()
                : Integer.MAX_VALUE;
    }

    private static List<String> split(String text, @Nullable String separator, int limit, boolean fromEnd) {
        if (separator == null) {
            String stripped = strip(text);
            return stripped.isEmpty()
                    ? List.of()
                    : List.of(stripped.split("\\s+", limit == Integer.MAX_VALUE ? 0 : limit + 1));
        }
        List<String> parts = new ArrayList<>();
        String rest = text;
        while (parts.size() < limit) {
            int at = fromEnd ? rest.lastIndexOf(required(separator)) : rest.indexOf(required(separator));
            if (at < 0) {
                break;
            }
            String before = rest.substring(0, at);
            String after = rest.substring(at + separator.length());
            parts.add(fromEnd ? after : before);
            rest = fromEnd ? before : after;
        }
        parts.add(rest);
        return fromEnd ? parts.reversed() : parts;
    }

    private static boolean any(Object[] arguments, Predicate<String> test) {
        Object first = arguments.length > 0 ? arguments[0] : null;
        return first instanceof Iterable<?> several
                ? several.iterator().hasNext() && anyOf(several, test)
                : first != null && test.test(first.toString());
    }

    private static boolean anyOf(Iterable<?> several, Predicate<String> test) {
        for (Object each : several) {
            if (each != null && test.test(each.toString())) {
                return true;
            }
        }
        return false;
    }

    private static String replace(String text, String from, Object[] arguments) {
        String to = arguments.length > 1 && arguments[1] != null ? arguments[1].toString() : "";
        long result = text.length() + (long) text.length() * to.length() / Math.max(1, from.length());
        if (result > Weight.MOST) {
            throw new IllegalStateException("a text of more than %,d characters".formatted(Weight.MOST));
        }
        return text.replace(from, to);
    }

    private static String title(String text) {
        StringBuilder title = new StringBuilder();
        boolean start = true;
        for (char letter : text.toCharArray()) {
            title.append(start ? Character.toUpperCase(letter) : Character.toLowerCase(letter));
            start = !Character.isLetter(letter);
        }
        return title.toString();
    }
}
