package dev.demitasse.model.chat;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The functions that transformers gives to templates, and filters that are to do what Python's do. */
public final class TemplateFunctions {
    private static final List<String> FILTERS =
            List.of("trim", "string", "reverse", "items", "replace", "join", "tojson");

    private TemplateFunctions() {}

    /** What a template says of messages that it does not take. */
    static final class Raised extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Raised(String message) {
            super(message);
        }
    }

    static void register(Context context) {
        context.registerFunction(
                new ELFunctionDefinition("", "raise_exception", TemplateFunctions.class, "raise", Object.class));
        context.registerFunction(
                new ELFunctionDefinition("", "strftime_now", TemplateFunctions.class, "now", Object.class));
        for (String name : FILTERS) {
            context.registerFilter(new PythonFilter(name));
        }
    }

    /** Ends the template with {@code message}; called by templates as {@code raise_exception}. */
    public static Object raise(Object message) {
        throw new Raised(Objects.toString(message));
    }

    /** The time as {@code format} wants it; called by templates as {@code strftime_now}. */
    public static Object now(Object format) {
        return format(Objects.toString(format), LocalDateTime.now());
    }

    /** Python's strftime, its codes that templates use. */
    static String format(String format, LocalDateTime time) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char code = format.charAt(i);
            if (code != '%' || i + 1 == format.length()) {
                text.append(code);
                continue;
            }
            String pattern = switch (format.charAt(++i)) {
                case 'd' -> "dd";
                case 'm' -> "MM";
                case 'Y' -> "yyyy";
                case 'y' -> "yy";
                case 'b' -> "MMM";
                case 'B' -> "MMMM";
                case 'a' -> "EEE";
                case 'A' -> "EEEE";
                case 'H' -> "HH";
                case 'I' -> "hh";
                case 'M' -> "mm";
                case 'S' -> "ss";
                case 'p' -> "a";
                case 'j' -> "DDD";
                default -> "";
            };
            text.append(
                    pattern.isEmpty()
                            ? format.substring(i - 1, i + 1)
                            : DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH)
                                    .format(time));
        }
        return text.toString();
    }

    private static @Nullable Object reversed(@Nullable Object value) {
        if (value instanceof Collection<?> collection) {
            List<Object> list = new ArrayList<>(collection);
            Collections.reverse(list);
            return list;
        }
        return value instanceof String text ? new StringBuilder(text).reverse().toString() : value;
    }

    /** Filters whose own implementations do otherwise than Jinja's, or know no bounds. */
    private record PythonFilter(String name) implements Filter {
        @Override
        public String getName() {
            return name;
        }

        @Override
        public @Nullable Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            return filter(value, interpreter, arguments, Map.of());
        }

        @Override
        public @Nullable Object filter(
                @Nullable Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
            bounded(value);
            return switch (name) {
                case "trim" -> PythonText.strip(text(value));
                case "string" -> text(value);
                case "reverse" -> reversed(value);
                case "items" -> value instanceof Map<?, ?> map ? new ArrayList<>(map.entrySet()) : List.of();
                case "replace" -> PythonText.call(text(value), "replace", arguments);
                case "join" -> join(value, arguments.length > 0 ? text(arguments[0]) : "");
                case "tojson" -> {
                    Object indent = named.getOrDefault("indent", arguments.length > 0 ? arguments[0] : null);
                    StringBuilder json = new StringBuilder();
                    json(json, value, indent instanceof Number number ? Math.clamp(number.longValue(), 0, 16) : -1, 0);
                    yield json.toString();
                }
                default -> throw new IllegalStateException(name);
            };
        }

        private static String join(@Nullable Object value, String separator) {
            StringBuilder text = new StringBuilder();
            boolean more = false;
            for (Object part : value instanceof Collection<?> collection ? collection : List.of(text(value))) {
                text.append(more ? separator : "").append(text(part));
                more = true;
                if (text.length() > Weight.MOST) {
                    throw new IllegalStateException("a text of more than %,d characters".formatted(Weight.MOST));
                }
            }
            return text.toString();
        }
    }

    private static void bounded(@Nullable Object value) {
        if (Weight.of(value) > Weight.MOST) {
            throw new IllegalStateException("a value of more than %,d characters".formatted(Weight.MOST));
        }
    }

    /** A value as Python prints it; texts within others are in JSON's quotes. */
    static String text(@Nullable Object value) {
        bounded(value);
        if (value instanceof Boolean flag) {
            return flag ? "True" : "False";
        }
        if (value instanceof Map<?, ?> || value instanceof Collection<?>) {
            StringBuilder json = new StringBuilder();
            json(json, value, -1, 0);
            return json.toString();
        }
        return value instanceof CharSequence || value instanceof Number ? value.toString() : "";
    }

    /** As Python's {@code json.dumps(value, ensure_ascii=False)} writes it. */
    private static void json(StringBuilder text, @Nullable Object value, int indent, int depth) {
        switch (value) {
            case null -> text.append("null");
            case Boolean flag -> text.append(flag);
            case Number number -> text.append(number);
            case Map<?, ?> map -> {
                List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
                text.append('{');
                for (int i = 0; i < entries.size(); i++) {
                    between(text, i > 0, indent, depth + 1);
                    quote(text, Objects.toString(entries.get(i).getKey()));
                    text.append(": ");
                    json(text, entries.get(i).getValue(), indent, depth + 1);
                }
                close(text, !entries.isEmpty(), indent, depth).append('}');
            }
            case Collection<?> collection -> {
                text.append('[');
                boolean more = false;
                for (Object element : collection) {
                    between(text, more, indent, depth + 1);
                    json(text, element, indent, depth + 1);
                    more = true;
                }
                close(text, more, indent, depth).append(']');
            }
            case Object other -> quote(text, other instanceof CharSequence ? other.toString() : "");
        }
    }

    private static void between(StringBuilder text, boolean more, int indent, int depth) {
        if (more) {
            text.append(indent < 0 ? ", " : ",");
        }
        if (indent >= 0) {
            text.append('\n').repeat(' ', indent * depth);
        }
    }

    private static StringBuilder close(StringBuilder text, boolean any, int indent, int depth) {
        return any && indent >= 0 ? text.append('\n').repeat(' ', indent * depth) : text;
    }

    private static void quote(StringBuilder text, String value) {
        text.append('"')
                .append(JsonStringEncoder.getInstance().quoteAsString(value))
                .append('"');
    }
}
