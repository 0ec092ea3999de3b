package dev.demitasse.recipes.language;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One text of a recipe: what is read, and how it is cut into token windows.
 *
 * @param source where the text is
 * @param portions which portions of the source's documents it may read; see {@link Data}
 * @param length tokens in a window
 * @param samples how many windows to use, drawn with the recipe's seed; empty for all
 * @param begin which windows begin with the token that the model's texts begin with
 */
public record DataEntry(Source source, Set<Portion> portions, int length, Optional<Integer> samples, Begin begin) {
    /** Which windows begin with the token that the model's texts begin with, where it has one. */
    public enum Begin {
        /** Every other. */
        ALTERNATE,
        /** All. */
        ALL,
        /** Those that a text happens to begin in. */
        TEXT
    }

    /** Every document of a source belongs to one portion, by a hash of its text. */
    public enum Portion {
        /** Eight tenths. */
        TRAIN,
        /** A tenth. */
        VALIDATION,
        /** A tenth. */
        TEST
    }

    /** Where text is. */
    public sealed interface Source {
        /** A text file; {@code separator} stands between its documents. */
        record Text(Path path, String separator) implements Source {}

        /** A file with a JSON object a line, whose {@code field} is a document. */
        record Jsonl(Path path, String field) implements Source {}

        /** A file with a JSON object a line, whose {@code field} is a list of messages, a document once rendered. */
        record Conversations(Path path, String field) implements Source {}

        /** The stories that Demitasse makes up. */
        record Stories(long seed, int count) implements Source {}
    }

    private static final String END_OF_TEXT = "<|endoftext|>";
    private static final String BLANK_LINE = "\n\n";

    static final Key<Path> TEXT = Key.optional("text", Kind.FILE, "a text file");
    static final Key<Path> JSONL = Key.optional("jsonl", Kind.FILE, "a file with one JSON object a line");
    static final Key<String> BUILTIN = Key.optional(
            "builtin", Kind.choice(Map.of("stories", "stories"), "a corpus"), "text that Demitasse makes up");
    private static final Key<String> SEPARATOR = Key.optional(
            "separator",
            Kind.RAW,
            "with `text`: what stands between documents; without it `<|endoftext|>` where the text has it, else blank lines");
    static final Key<String> FIELD = Key.of("field", Kind.TEXT, "text", "with `jsonl`: which field is the document");
    private static final Key<String> MESSAGES = Key.optional(
            "messages",
            Kind.TEXT,
            "with `jsonl`, instead of `field`: which field holds a conversation, a list of `{role, content}`; the model's chat template makes a document of it");
    private static final Key<Integer> COUNT =
            Key.of("count", Kind.integer(1), "2000", "with `builtin`: how many stories, before they are split");
    private static final Key<Long> SEED = Key.optional(
            "seed", Kind.count(0, Long.MAX_VALUE), "with `builtin`: of the stories; without it the recipe's seed");
    private static final Key<Integer> LENGTH = Key.of("length", Kind.integer(2), "512", "tokens in a window");
    private static final Key<Integer> SAMPLES =
            Key.optional("samples", Kind.integer(1), "how many windows, drawn by the seed; without it all");
    private static final Key<List<Portion>> SPLIT = Key.optional(
            "split",
            Kind.choice(Portion.class, "a portion").list(),
            "which portions of the documents; without it what *Who reads what* says");

    static final Key<Begin> BEGIN = Key.optional(
            "begin",
            Kind.choice(Begin.class, "a choice of windows"),
            "`data.calibration`: which windows begin with the token that the model puts before a text, if it does:"
                    + " `alternate` (without the key), `all`, or `text`, those where a text begins. What it draws at a first"
                    + " position differs much from what other tokens do, and models are run both ways");

    static final Section SECTION = new Section(
            "data.train, data.validation, data.calibration, data.test",
            "One of `text`, `jsonl` and `builtin` says where the text is. A path alone is short for `{text: PATH}`.",
            TEXT,
            SEPARATOR,
            JSONL,
            FIELD,
            MESSAGES,
            BUILTIN,
            COUNT,
            SEED,
            LENGTH,
            SAMPLES,
            BEGIN,
            SPLIT);

    /** The keys that say where the text is: an override of the source drops them. */
    static final List<String> SOURCE_KEYS =
            List.of("text", "separator", "jsonl", "field", "messages", "builtin", "count", "seed");

    /**
     * Reads an entry; an empty set of portions stands for {@code split} left out.
     *
     * @param begin which windows begin as texts do
     */
    static DataEntry read(Fields fields, long seed, Begin begin) {
        Source source = fields.one(List.of(TEXT, JSONL, BUILTIN))
                .map(key -> source(fields, key, seed))
                .orElse(new Source.Stories(seed, 1));
        Set<Portion> portions = EnumSet.noneOf(Portion.class);
        fields.find(SPLIT).ifPresent(portions::addAll);
        return new DataEntry(source, portions, fields.get(LENGTH), fields.find(SAMPLES), begin);
    }

    private static Source source(Fields fields, Key<?> key, long seed) {
        only(fields, SEPARATOR, key, TEXT);
        only(fields, FIELD, key, JSONL);
        only(fields, MESSAGES, key, JSONL);
        only(fields, COUNT, key, BUILTIN);
        only(fields, SEED, key, BUILTIN);
        if (key == TEXT) {
            Path path = fields.get(TEXT, Path.of(""));
            return new Source.Text(path, fields.get(SEPARATOR, separator(path)));
        }
        if (key == JSONL) {
            Optional<String> messages = fields.find(MESSAGES);
            if (messages.isPresent()) {
                if (fields.has(FIELD)) {
                    fields.wrong(FIELD, "goes without messages; a document is one or the other");
                }
                return new Source.Conversations(fields.get(JSONL, Path.of("")), messages.get());
            }
            return new Source.Jsonl(fields.get(JSONL, Path.of("")), fields.get(FIELD));
        }
        fields.find(BUILTIN);
        return new Source.Stories(fields.get(SEED, seed), fields.get(COUNT));
    }

    /** What stands between the documents of a text that nobody told about. */
    private static String separator(Path path) {
        if (!Files.isRegularFile(path)) {
            return BLANK_LINE;
        }
        try (InputStream stream = Files.newInputStream(path)) {
            String beginning = new String(stream.readNBytes(1 << 20), StandardCharsets.ISO_8859_1);
            return beginning.contains(END_OF_TEXT) ? END_OF_TEXT : BLANK_LINE;
        } catch (IOException e) {
            return BLANK_LINE; // whoever reads it all tells why it cannot be read
        }
    }

    private static void only(Fields fields, Key<?> key, Key<?> chosen, Key<?> belongsTo) {
        if (chosen != belongsTo && fields.has(key)) {
            fields.wrong(key, "goes with %s, not with %s".formatted(belongsTo.name(), chosen.name()));
        }
    }

    DataEntry withPortions(Set<Portion> other) {
        return new DataEntry(source, other, length, samples, begin);
    }

    /** Whether documents of the one may be documents of the other. */
    boolean sharesSource(DataEntry other) {
        return switch (source) {
            case Source.Text text ->
                other.source instanceof Source.Text theirs && theirs.path().equals(text.path());
            case Source.Jsonl jsonl ->
                other.source instanceof Source.Jsonl theirs && theirs.path().equals(jsonl.path());
            case Source.Conversations conversations ->
                other.source instanceof Source.Conversations theirs
                        && theirs.path().equals(conversations.path());
            case Source.Stories stories -> other.source instanceof Source.Stories;
        };
    }
}
