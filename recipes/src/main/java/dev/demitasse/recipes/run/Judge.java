package dev.demitasse.recipes.run;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.evaluate.Quality;
import dev.demitasse.infer.evaluate.Reference;
import dev.demitasse.infer.evaluate.ReferenceWriter;
import dev.demitasse.infer.evaluate.Speed;
import dev.demitasse.infer.generate.Generator;
import dev.demitasse.infer.generate.SamplingOptions;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.Evaluate;
import dev.demitasse.recipes.language.Evaluate.Metric;
import dev.demitasse.recipes.run.Scores.Figures;
import dev.demitasse.recipes.run.Scores.Parity;
import dev.demitasse.recipes.run.Scores.Rates;
import dev.demitasse.recipes.run.Scores.Runtime;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Measures models as a recipe's {@code evaluate} asks: what is measured is the very file that ships. */
final class Judge {
    private static final int PROMPT_TOKENS = 64;
    private static final int NEW_TOKENS = 64;
    private static final int PARITY_WINDOWS = 4;

    private final Evaluate wanted;
    private final TokenWindows test;
    private final Progress progress;

    Judge(Evaluate wanted, TokenWindows test, Progress progress) {
        this.wanted = wanted;
        this.test = test;
        this.progress = progress;
    }

    /**
     * What a model is compared with.
     *
     * @param references by what the recipe calls them
     * @param source what an export was made from, by what the recipe calls it; at most one
     */
    record Comparisons(Map<String, Reference> references, Map<String, Path> source) {}

    /**
     * Measures the model at {@code path}, an ONNX file by both runtimes.
     *
     * @param id what the recipe calls it
     * @param keeper keeps what the built-in runtime expects; the caller commits it
     * @return the built-in runtime's figures first
     */
    List<Scores> judge(String id, Path path, Comparisons comparisons, Optional<ReferenceWriter> keeper)
            throws IOException {
        List<Scores> all = new ArrayList<>();
        try (Checkpoint checkpoint = Checkpoint.open(path);
                CpuModel model = CpuModel.of(checkpoint)) {
            @Nullable String sample = wanted.sample() > 0 ? sample(checkpoint, model) : null;
            Quality quality = evaluate(model, comparisons, keeper);
            all.add(scores(id, Runtime.BUILT_IN, checkpoint, model, quality, sample, comparisons));
            if (path.toString().endsWith(".onnx")) {
                try (OrtModel other = OrtModel.open(path)) {
                    Quality again = evaluate(other, comparisons, Optional.empty());
                    all.add(scores(id, Runtime.ONNX_RUNTIME, checkpoint, other, again, null, comparisons));
                }
            }
        }
        return all;
    }

    private <M extends LanguageModel & Scorer> Scores scores(
            String id,
            Runtime runtime,
            Checkpoint checkpoint,
            M model,
            Quality quality,
            @Nullable String sample,
            Comparisons comparisons)
            throws IOException {
        Map<String, Divergence> divergences = new LinkedHashMap<>();
        for (String reference : comparisons.references.keySet()) {
            divergences.put(reference, quality.divergences().get(divergences.size()));
        }
        return new Scores(
                id,
                runtime,
                checkpoint.projectionFormat().weightName(),
                checkpoint.config().parameters(),
                checkpoint.fileBytes(),
                new Figures(
                        quality.perplexity(),
                        quality.perplexityStandardError(),
                        quality.bitsPerByte(),
                        quality.tokensScored()),
                divergences,
                speedIfWanted(model),
                sample,
                parity(model, comparisons.source));
    }

    private @Nullable Parity parity(Scorer model, Map<String, Path> sources) throws IOException {
        for (Map.Entry<String, Path> source : sources.entrySet()) {
            try (CpuModel original = CpuModel.open(source.getValue())) {
                double largest = 0;
                for (int i = 0; i < Math.min(PARITY_WINDOWS, test.count()); i++) {
                    float[] ours = model.logits(test.window(i));
                    float[] theirs = original.logits(test.window(i));
                    for (int j = 0; j < theirs.length; j++) {
                        largest = Math.max(largest, Math.abs((double) ours[j] - theirs[j]));
                    }
                }
                return new Parity(source.getKey(), largest);
            }
        }
        return null;
    }

    private Quality evaluate(Scorer model, Comparisons comparisons, Optional<ReferenceWriter> keeper)
            throws IOException {
        List<Reference> references = List.copyOf(comparisons.references.values());
        return Evaluation.run(model, references, keeper, test, protocol(wanted), progress);
    }

    static Protocol protocol(Evaluate evaluate) {
        return switch (evaluate.protocol()) {
            case DEFAULT -> Protocol.DEFAULT;
            case LLAMACPP -> Protocol.LLAMACPP;
        };
    }

    private @Nullable Rates speedIfWanted(LanguageModel model) {
        if (!wanted.metrics().contains(Metric.SPEED)) {
            return null;
        }
        int half = model.config().maximumPositions() / 2;
        Speed speed = Speed.measure(model, Math.min(PROMPT_TOKENS, half), Math.min(NEW_TOKENS, half));
        return new Rates(speed.prefillTokensPerSecond(), speed.decodeTokensPerSecond());
    }

    /** Greedy, from the same beginning for every model: differences are the models' own. */
    private @Nullable String sample(Checkpoint checkpoint, CpuModel model) {
        if (checkpoint.tokenizer().isEmpty()) {
            return null;
        }
        StringBuilder text = new StringBuilder();
        int limit = Math.min(wanted.sample(), model.config().maximumPositions() - 1);
        Generator writer = new Generator(model, SamplingOptions.GREEDY);
        Writing.stream(writer, checkpoint.requireTokenizer(), "", limit, text::append);
        return text.toString();
    }
}
