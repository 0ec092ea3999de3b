package dev.demitasse.datasets;

import dev.demitasse.datasets.stories.StoryGenerator;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.chat.ChatTemplate;
import java.io.Reader;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where text comes from: documents in an order that does not change. They are streamed: a source of many gigabytes is
 * read with a few megabytes of memory.
 */
public sealed interface TextSource {

    /**
     * A UTF-8 file, its byte order mark left out.
     *
     * @param separator what stands between documents ({@code <|endoftext|>}, a blank line {@code "\n\n"}); each
     *     document then loses the white space around it. Without it the whole file is one document, as it is.
     */
    record TextFile(Path path, Optional<String> separator) implements TextSource {
        public TextFile {
            if (separator.isPresent() && separator.get().isEmpty()) {
                throw new InvalidRequestException(path, "the separator is empty", "leave it out, or name one");
            }
        }

        public TextFile(Path path) {
            this(path, Optional.empty());
        }

        @Override
        public Stream<String> documents() {
            Reader reader = Utf8Reader.open(path);
            return TextPieces.stream(new DocumentReader(new PieceReader(reader, separator)), reader);
        }

        @Override
        public String fingerprint() {
            return new Fingerprint("text").add(separator.orElse("")).add(path).hex();
        }

        @Override
        public String description() {
            return path.toString();
        }
    }

    /** A JSON Lines file: the text in {@code field} of each line is a document. */
    record Jsonl(Path path, String field) implements TextSource {
        @Override
        public Stream<String> documents() {
            Reader reader = Utf8Reader.open(path);
            return TextPieces.stream(new JsonLines(path, field, reader), reader);
        }

        @Override
        public String fingerprint() {
            return new Fingerprint("jsonl").add(field).add(path).hex();
        }

        @Override
        public String description() {
            return path + ", field '" + field + "'";
        }
    }

    /**
     * A JSON Lines file: the messages in {@code field} of each line are a document, as a model's chat template renders
     * them.
     *
     * @param template empty where only the file matters; then there are no documents to be had
     * @param withoutBegin whether the token that starts a sequence is left out, for the tokenizer adds it
     */
    record Conversations(Path path, String field, Optional<ChatTemplate> template, boolean withoutBegin)
            implements TextSource {
        @Override
        public Stream<String> documents() {
            ChatTemplate chat = template.orElseThrow(() -> new InvalidRequestException(
                    path, "its messages need a chat template, and the model has none", "name a field that holds text"));
            String begin = withoutBegin ? chat.specialTokens().getOrDefault("bos_token", "") : "";
            Reader reader = Utf8Reader.open(path);
            return TextPieces.stream(new JsonLines(path, field, reader, template), reader)
                    .map(text -> text.startsWith(begin) ? text.substring(begin.length()) : text)
                    .filter(text -> !text.isEmpty());
        }

        @Override
        public String fingerprint() {
            return new Fingerprint("conversations")
                    .add(field)
                    .add(template.map(ChatTemplate::source).orElse(""))
                    .add(path)
                    .hex();
        }

        @Override
        public String description() {
            return path + ", messages in field '" + field + "'";
        }
    }

    /** The first {@code count} stories that {@link StoryGenerator} tells from {@code seed}. */
    record Stories(long seed, int count) implements TextSource {
        private static final int FINGERPRINTED = 200;

        public Stories {
            if (count < 1) {
                throw new InvalidRequestException(
                        "stories", "the count must be above 0, is " + count, "ask for one or more");
            }
        }

        @Override
        public Stream<String> documents() {
            StoryGenerator generator = new StoryGenerator(seed);
            return Stream.generate(generator::next).limit(count);
        }

        @Override
        public String fingerprint() {
            // All stories follow from the seed and the generator; some of them tell one generator from another.
            Fingerprint fingerprint =
                    new Fingerprint("stories").add(Long.toString(seed)).add(Integer.toString(count));
            documents().limit(FINGERPRINTED).forEach(fingerprint::add);
            return fingerprint.hex();
        }

        @Override
        public String description() {
            return "%,d stories from seed %d".formatted(count, seed);
        }
    }

    /** The documents of {@code source} that {@code split} puts into one of {@code parts}. */
    record Portion(TextSource source, Split split, Set<Split.Part> parts) implements TextSource {
        public Portion {
            parts = parts.isEmpty() ? Set.of() : Collections.unmodifiableSet(EnumSet.copyOf(parts));
        }

        @Override
        public Stream<String> documents() {
            return source.documents().filter(document -> parts.contains(split.partOf(document)));
        }

        @Override
        public String fingerprint() {
            return new Fingerprint("portion")
                    .add(source.fingerprint())
                    .add(split.toString())
                    .add(parts.toString())
                    .hex();
        }

        @Override
        public String description() {
            return source.description() + ", "
                    + parts.stream().map(Split.Part::title).collect(Collectors.joining(" and ")) + " part";
        }
    }

    /**
     * The documents, none of them empty, to be closed after use. A document longer than
     * {@link DocumentReader#LONGEST} characters comes as several.
     */
    Stream<String> documents();

    /** A SHA-256, in hexadecimal, over the content and what is read from it: equal fingerprints, equal documents. */
    String fingerprint();

    /** What it is, for messages. */
    String description();
}
