package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.Node.Nothing;
import dev.demitasse.recipes.language.Node.Sequence;
import dev.demitasse.recipes.language.Node.Text;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What a key may hold.
 *
 * @param words what to write, for the reference: {@code a number above 0}
 * @param placeholder stands for a value that could not be read, so that reading goes on to the next mistake
 * @param reader throws {@link BadValue} for what it may not hold
 * @param writer the value as YAML would have it: a string, a number, a list
 */
record Kind<T>(String words, T placeholder, Function<Node, T> reader, Function<T, Object> writer) {

    static final Kind<String> TEXT = new Kind<>("text", "", Kind::text, value -> value);

    /** Text as it stands, blanks too. */
    static final Kind<String> RAW = new Kind<>("text", "", Kind::raw, value -> value);

    static final Kind<Boolean> FLAG = new Kind<>("true or false", false, Kind::flag, value -> value);

    /** A file or folder that exists. */
    static final Kind<Path> FILE = new Kind<>("a path", Path.of(""), Kind::file, Path::toString);

    /** Another part of the recipe, which has keys of its own. */
    static final Kind<Node> SECTION =
            new Kind<>("a mapping", new Nothing(new Origin("", 0, Path.of(""))), node -> node, node -> "");

    /** A number from or above {@code least}. */
    static Kind<Double> above(double least) {
        return number("a number above " + Numbers.plain(least), least + 1, value -> value > least);
    }

    static Kind<Double> atLeast(double least) {
        return number("a number of at least " + Numbers.plain(least), least, value -> value >= least);
    }

    static Kind<Double> within(double least, double most) {
        return number(
                "a number from %s to %s".formatted(Numbers.plain(least), Numbers.plain(most)),
                least,
                value -> value >= least && value <= most);
    }

    /** A number, or {@code auto} for one to be found. */
    static Kind<OptionalDouble> automatic(Kind<Double> number) {
        return new Kind<>(
                number.words + ", or `auto`",
                OptionalDouble.empty(),
                node -> text(node).equalsIgnoreCase("auto")
                        ? OptionalDouble.empty()
                        : OptionalDouble.of(number.reader.apply(node)),
                value -> value.isPresent() ? number.writer.apply(value.getAsDouble()) : "auto");
    }

    /** A size, so written: {@code 90MB}. */
    static Kind<Long> bytes() {
        return new Kind<>(
                "a size such as `90MB`",
                1L,
                node -> {
                    double bytes = Numbers.bytes(text(node));
                    if (bytes < 1) {
                        throw new BadValue("must be at least a byte, is %s".formatted(text(node)));
                    }
                    return (long) bytes;
                },
                value -> value);
    }

    /** A share that leaves something. */
    static Kind<Double> fraction() {
        return number("a fraction above 0, at most 1", 1, value -> value > 0 && value <= 1);
    }

    /** A share that may be nothing. */
    static Kind<Double> share() {
        return number("a number from 0 to below 1", 0, value -> value >= 0 && value < 1);
    }

    private static Kind<Double> number(String words, double placeholder, Function<Double, Boolean> holds) {
        String must = words.replace("a number ", "");
        return new Kind<>(
                words,
                placeholder,
                node -> {
                    double value = Numbers.number(text(node));
                    if (!holds.apply(value)) {
                        throw new BadValue("must be %s, is %s".formatted(must, text(node)));
                    }
                    return value;
                },
                Kind::yamlNumber);
    }

    /** A whole number, so written: {@code 200}, {@code 2M}. */
    static Kind<Long> count(long least, long most) {
        return new Kind<>(
                "a whole number, %s".formatted(range(least, most)),
                least,
                node -> {
                    long value = Numbers.count(text(node));
                    if (value < least || value > most) {
                        throw new BadValue(
                                "must be a whole number, %s, is %s".formatted(range(least, most), text(node)));
                    }
                    return value;
                },
                value -> value);
    }

    /** As {@link #count}, for what is an int. */
    static Kind<Integer> integer(int least) {
        Kind<Long> wide = count(least, Integer.MAX_VALUE);
        return new Kind<>(wide.words, least, node -> Math.toIntExact(wide.reader.apply(node)), value -> value);
    }

    /** One of a few words. */
    static <E extends Enum<E>> Kind<E> choice(Class<E> type, String noun) {
        Map<String, E> words = new LinkedHashMap<>();
        for (E value : type.getEnumConstants()) {
            words.put(word(value), value);
        }
        return choice(words, noun);
    }

    /** One of a few words that stand for something. */
    static <T> Kind<T> choice(Map<String, T> choices, String noun) {
        Map<String, T> words = new LinkedHashMap<>(choices);
        return new Kind<>(
                words.keySet().stream().map(word -> "`" + word + "`").collect(Collectors.joining(", ")),
                words.values().iterator().next(),
                node -> {
                    String written = text(node);
                    T value = words.get(written.toLowerCase(Locale.ROOT));
                    if (value == null) {
                        throw new BadValue(
                                "'%s' is not %s%s".formatted(written, noun, Suggestion.of(written, words.keySet())));
                    }
                    return value;
                },
                value -> words.entrySet().stream()
                        .filter(entry -> entry.getValue().equals(value))
                        .map(Map.Entry::getKey)
                        .findFirst()
                        .orElseThrow());
    }

    /** A list, with or without brackets. */
    <L> Kind<List<T>> list() {
        return new Kind<>(
                "a list of " + words,
                List.of(),
                node -> switch (node) {
                    case Sequence sequence ->
                        sequence.elements().stream().map(reader).toList();
                    case Text text ->
                        Arrays.stream(text.text().split(","))
                                .map(word -> reader.apply(new Text(word, text.origin())))
                                .toList();
                    case Node.Mapping mapping -> throw new BadValue("must be a list, is " + node.words());
                    case Nothing nothing -> List.of();
                },
                values -> values.stream().map(writer).toList());
    }

    /** The same, told of in other words. */
    Kind<T> told(String otherWords) {
        return new Kind<>(otherWords, placeholder, reader, writer);
    }

    /** A mapping of names to values of this kind. */
    Kind<Map<String, T>> byName(String names) {
        return new Kind<>(
                "a mapping of " + names + " to " + words,
                Map.of(),
                node -> switch (node) {
                    case Node.Mapping mapping -> {
                        Map<String, T> values = new LinkedHashMap<>();
                        mapping.entries().forEach((name, entry) -> values.put(name, reader.apply(entry.value())));
                        yield values;
                    }
                    case Nothing nothing -> Map.of();
                    case Text text -> throw new BadValue("must be a mapping, is " + node.words());
                    case Sequence sequence -> throw new BadValue("must be a mapping, is " + node.words());
                },
                values -> {
                    Map<String, Object> written = new LinkedHashMap<>();
                    values.forEach((name, value) -> written.put(name, writer.apply(value)));
                    return written;
                });
    }

    /** The word that stands for a constant in recipes. */
    static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** The words of an enum's constants. */
    static <E extends Enum<E>> List<String> words(Class<E> type) {
        return Arrays.stream(type.getEnumConstants()).map(Kind::word).toList();
    }

    static String text(Node node) {
        if (node instanceof Text text && !text.text().isBlank()) {
            return text.text().strip();
        }
        throw new BadValue(node instanceof Text ? "is empty" : "must be one value, is " + node.words());
    }

    private static String raw(Node node) {
        if (node instanceof Text text && !text.text().isEmpty()) {
            return text.text();
        }
        throw new BadValue(node instanceof Text ? "is empty" : "must be one value, is " + node.words());
    }

    private static boolean flag(Node node) {
        String text = text(node);
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new BadValue("must be true or false, is " + text);
        };
    }

    private static Path file(Node node) {
        String text = text(node);
        Path path = node.origin().base().resolve(text).normalize();
        if (!Files.exists(path)) {
            throw new BadValue("there is no '%s'%s"
                    .formatted(
                            text,
                            path.equals(Path.of(text))
                                    ? ""
                                    : " (looked in " + node.origin().base() + ")"));
        }
        if (!Files.isReadable(path)) {
            throw new BadValue("'%s' may not be read".formatted(text));
        }
        return path;
    }

    private static Object yamlNumber(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15 ? (Object) (long) value : (Object) value;
    }

    private static String range(long least, long most) {
        return most >= Integer.MAX_VALUE ? "at least " + least : "from %d to %d".formatted(least, most);
    }
}
