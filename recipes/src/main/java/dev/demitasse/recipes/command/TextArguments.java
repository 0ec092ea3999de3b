package dev.demitasse.recipes.command;

import dev.demitasse.datasets.TextSource;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowPacker;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** The text that a command runs a model on. */
final class TextArguments {
    /** Where it is. */
    static final class Source {
        @Option(names = "--text", paramLabel = "FILE", description = "A text file.")
        private @Nullable Path file;

        @Option(names = "--jsonl", paramLabel = "FILE", description = "A file with a JSON object a line; see --field.")
        private @Nullable Path jsonLines;

        @Option(names = "--stories", paramLabel = "N", description = "N stories that Demitasse makes up.")
        private @Nullable Integer stories;
    }

    @ArgGroup(multiplicity = "1")
    private Source source = new Source();

    @Option(
            names = "--field",
            defaultValue = "text",
            description = "With --jsonl: the field that holds the text. Default: ${DEFAULT-VALUE}.")
    private String field = "";

    @Option(names = "--separator", description = "With --text: what stands between documents, such as <|endoftext|>.")
    private @Nullable String separator;

    @Option(names = "--length", defaultValue = "256", description = "Tokens in a window. Default: ${DEFAULT-VALUE}.")
    private int length;

    @Option(names = "--seed", defaultValue = "0", description = "Of --samples and --stories. Default: 0.")
    private long seed;

    /**
     * Its windows.
     *
     * @param samples how many are drawn; all where there are no more
     */
    TokenWindows windows(Tokenizer tokenizer, Optional<Integer> samples, Progress progress) throws IOException {
        TokenWindows all = WindowPacker.pack(documents(), tokenizer, length, progress);
        return samples.filter(count -> count < all.count())
                .map(count -> all.sample(count, seed))
                .orElse(all);
    }

    /** What the text is called. */
    String name() {
        Path file = source.file != null ? source.file : source.jsonLines;
        return file == null ? "stories" : file.toString();
    }

    private TextSource documents() {
        if (source.file != null) {
            return new TextSource.TextFile(source.file, Optional.ofNullable(separator));
        }
        if (source.jsonLines != null) {
            return new TextSource.Jsonl(source.jsonLines, field);
        }
        return new TextSource.Stories(seed, source.stories == null ? 1 : source.stories);
    }
}
