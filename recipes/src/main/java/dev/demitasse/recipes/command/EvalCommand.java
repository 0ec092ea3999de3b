package dev.demitasse.recipes.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.datasets.TextSource;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowPacker;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.evaluate.Quality;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a model on a text. */
@Command(
        name = "eval",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Measures how well a model foretells a text: perplexity, bits per byte, and with --against the divergence"
                    + " from another model."
        })
final class EvalCommand implements Callable<Integer> {
    /** Who runs the model. */
    enum Runtime {
        BUILTIN,
        ONNXRUNTIME
    }

    /** Which tokens count. */
    enum Scoring {
        DEFAULT,
        LLAMACPP
    }

    /** Where the text is. */
    static final class Text {
        @Option(names = "--text", paramLabel = "FILE", description = "A text file.")
        private @Nullable Path file;

        @Option(names = "--jsonl", paramLabel = "FILE", description = "A file with a JSON object a line; see --field.")
        private @Nullable Path jsonLines;

        @Option(names = "--stories", paramLabel = "N", description = "N stories that Demitasse makes up.")
        private @Nullable Integer stories;
    }

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @ArgGroup(multiplicity = "1")
    private Text text = new Text();

    @Option(
            names = "--field",
            defaultValue = "text",
            description = "With --jsonl: the field that holds the text. Default: ${DEFAULT-VALUE}.")
    private String field = "";

    @Option(names = "--separator", description = "With --text: what stands between documents, such as <|endoftext|>.")
    private @Nullable String separator;

    @Option(names = "--length", defaultValue = "256", description = "Tokens in a window. Default: ${DEFAULT-VALUE}.")
    private int length;

    @Option(names = "--samples", description = "How many windows, drawn by --seed; without it all.")
    private @Nullable Integer samples;

    @Option(names = "--seed", defaultValue = "0", description = "Of --samples and --stories. Default: 0.")
    private long seed;

    @Option(names = "--against", paramLabel = "MODEL", description = "Compare with this model: KL divergence, top-1.")
    private @Nullable String against;

    @Option(
            names = "--protocol",
            defaultValue = "default",
            description = "default scores every token but each window's first; llamacpp each window's second half.")
    private Scoring protocol = Scoring.DEFAULT;

    @Option(
            names = "--runtime",
            defaultValue = "builtin",
            description = "builtin, or onnxruntime for an .onnx. Default: ${DEFAULT-VALUE}.")
    private Runtime runtime = Runtime.BUILTIN;

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        Path path = model.path();
        ProgressDisplay progress = ProgressDisplay.onStandardError();
        TokenWindows windows;
        Quality quality;
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            windows = WindowPacker.pack(source(), checkpoint.requireTokenizer(), length, progress);
            if (samples != null && samples < windows.count()) {
                windows = windows.sample(samples, seed);
            }
            try (Scorer scorer = scorer(path, checkpoint);
                    CpuModel reference = against == null ? null : CpuModel.open(model.path(against))) {
                quality = Evaluation.run(scorer, Optional.ofNullable(reference), windows, protocol(), progress);
            }
        } finally {
            progress.end();
        }
        print(path, windows, quality);
        return 0;
    }

    private TextSource source() {
        if (text.file != null) {
            return new TextSource.TextFile(text.file, Optional.ofNullable(separator));
        }
        if (text.jsonLines != null) {
            return new TextSource.Jsonl(text.jsonLines, field);
        }
        return new TextSource.Stories(seed, text.stories == null ? 1 : text.stories);
    }

    private Scorer scorer(Path path, Checkpoint checkpoint) throws IOException {
        return switch (runtime) {
            case BUILTIN -> CpuModel.of(checkpoint);
            case ONNXRUNTIME -> {
                if (!path.toString().endsWith(".onnx")) {
                    throw new InvalidRequestException(path, "ONNX Runtime runs .onnx files", "leave out --runtime");
                }
                yield OrtModel.open(path);
            }
        };
    }

    private Protocol protocol() {
        return switch (protocol) {
            case DEFAULT -> Protocol.DEFAULT;
            case LLAMACPP -> Protocol.LLAMACPP;
        };
    }

    private void print(Path path, TokenWindows windows, Quality quality) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("model", path.toString());
        figures.put("perplexity", quality.perplexity());
        figures.put("perplexity_standard_error", quality.perplexityStandardError());
        figures.put("bits_per_byte", quality.bitsPerByte());
        quality.divergence().ifPresent(divergence -> {
            figures.put("against", String.valueOf(against));
            figures.put("mean_kl", divergence.meanKl());
            figures.put("p99_kl", divergence.p99Kl());
            figures.put("top1_agreement", divergence.top1Agreement());
        });
        figures.put("tokens_scored", quality.tokensScored());
        figures.put("windows", windows.count());
        figures.put("length", windows.length());
        figures.put("protocol", protocol.name().toLowerCase(Locale.ROOT));
        figures.put("data", windows.fingerprint());
        if (json) {
            out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(figures));
        } else {
            figures.forEach((name, value) ->
                    out.printf("%-26s %s%n", name, value instanceof Double number ? "%.6g".formatted(number) : value));
        }
        out.flush();
    }
}
