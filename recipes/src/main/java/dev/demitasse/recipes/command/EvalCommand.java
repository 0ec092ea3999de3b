package dev.demitasse.recipes.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Keeping;
import dev.demitasse.infer.evaluate.KeptReference;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.evaluate.Quality;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
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

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Mixin
    private TextArguments text = new TextArguments();

    @Option(names = "--samples", description = "How many windows, drawn by --seed; without it all.")
    private @Nullable Integer samples;

    @Option(
            names = "--against",
            paramLabel = "MODEL",
            description = "Compare with this model, token by token: perplexity ratio, KL divergence, top-1, Δp.")
    private @Nullable String against;

    @Option(
            names = "--save-reference",
            paramLabel = "FILE",
            description = "Keep what the model of --against, or without it MODEL itself, expects of the text, for"
                    + " --reference.")
    private @Nullable Path saveReference;

    @Option(
            names = "--whole-up-to",
            paramLabel = "MB",
            defaultValue = "512",
            description = "With --save-reference: size up to which all logits are kept; where they would take more, of"
                    + " each token the likeliest 256 and 64 drawn from the others. Default: ${DEFAULT-VALUE}.")
    private long wholeUpTo;

    @Option(
            names = "--reference",
            paramLabel = "FILE",
            description = "Compare with what --save-reference kept, on the same text; the model it is of need not run.")
    private @Nullable Path reference;

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

    @Mixin
    private RuntimeArguments machine = new RuntimeArguments();

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        check();
        Path path = model.path();
        ProgressDisplay progress = ProgressDisplay.onStandardError();
        TokenWindows windows;
        Quality quality;
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            windows = text.windows(checkpoint.requireTokenizer(), Optional.ofNullable(samples), progress);
            try (Scorer scorer = scorer(path, checkpoint)) {
                quality = evaluate(path, scorer, windows, progress);
            }
        } finally {
            progress.end();
        }
        print(path, windows, quality);
        return 0;
    }

    private void check() {
        if (wholeUpTo < 0 || wholeUpTo > Long.MAX_VALUE / 1_000_000) {
            throw new InvalidRequestException("--whole-up-to", "is " + wholeUpTo, "give a number of megabytes");
        }
        if (reference != null && (against != null || saveReference != null)) {
            throw new InvalidRequestException(
                    "--reference",
                    "stands beside " + (against != null ? "--against" : "--save-reference"),
                    "compare with a model or with what was kept of one");
        }
    }

    private Quality evaluate(Path path, Scorer scorer, TokenWindows windows, ProgressDisplay progress)
            throws IOException {
        if (reference != null) {
            try (KeptReference kept = KeptReference.open(reference)) {
                against = kept.model();
                return Evaluation.run(scorer, List.of(kept), windows, protocol(), progress);
            }
        }
        if (against == null) {
            return saveReference == null
                    ? Evaluation.run(scorer, List.of(), windows, protocol(), progress)
                    : save(scorer, path, saveReference, windows, progress);
        }
        Path other = model.path(against);
        try (CpuModel running = CpuModel.open(other, machine.options(Kernels.EXACT))) {
            if (saveReference == null) {
                return Evaluation.run(scorer, Optional.of(running), windows, protocol(), progress);
            }
            save(running, other, saveReference, windows, progress);
        }
        try (KeptReference kept = KeptReference.open(saveReference)) {
            return Evaluation.run(scorer, List.of(kept), windows, protocol(), progress);
        }
    }

    private Quality save(Scorer scorer, Path path, Path file, TokenWindows windows, ProgressDisplay progress)
            throws IOException {
        Keeping keeping = Keeping.within(
                wholeUpTo * 1_000_000, windows.tokens(), scorer.config().vocabularySize());
        return KeptReference.record(scorer, path.toString(), windows, protocol(), keeping, file, progress);
    }

    private Scorer scorer(Path path, Checkpoint checkpoint) throws IOException {
        return switch (runtime) {
            case BUILTIN -> CpuModel.of(checkpoint, machine.options(Kernels.EXACT));
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
        if (against != null) {
            figures.put("against", against);
        }
        figures.put("tokens_scored", quality.tokensScored());
        figures.put("windows", windows.count());
        figures.put("length", windows.length());
        figures.put("protocol", protocol.name().toLowerCase(Locale.ROOT));
        figures.put("data", windows.fingerprint());
        if (json) {
            quality.divergence().ifPresent(divergence -> figures.putAll(DivergenceTable.tree(divergence)));
            out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(figures));
        } else {
            figures.forEach((name, value) ->
                    out.printf("%-26s %s%n", name, value instanceof Double number ? "%.6g".formatted(number) : value));
            quality.divergence().ifPresent(divergence -> {
                out.println();
                DivergenceTable.lines(quality, divergence).forEach(out::println);
            });
        }
        out.flush();
    }
}
