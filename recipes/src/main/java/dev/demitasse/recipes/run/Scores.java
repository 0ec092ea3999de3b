package dev.demitasse.recipes.run;

import dev.demitasse.infer.evaluate.Divergence;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What was measured of one model, by one runtime. Figures that were not asked for, or cannot be had, are null.
 *
 * @param id the stage that made it, or {@code model}
 * @param runtime who ran it
 * @param format what most of its weights are stored in
 * @param parameters numbers it consists of
 * @param bytes of the files that hold its weights
 * @param quality perplexity and what goes with it
 * @param divergences from other models, by their id
 * @param speed in tokens a second
 * @param sample text it wrote
 * @param parity of an exported file, with what it was made from
 */
public record Scores(
        String id,
        Runtime runtime,
        String format,
        long parameters,
        long bytes,
        @Nullable Figures quality,
        Map<String, Divergence> divergences,
        @Nullable Rates speed,
        @Nullable String sample,
        @Nullable Parity parity) {

    /** Who runs a model. */
    public enum Runtime {
        BUILT_IN("built-in"),
        ONNX_RUNTIME("ONNX Runtime");

        private final String title;

        Runtime(String title) {
            this.title = title;
        }

        public String title() {
            return title;
        }
    }

    /**
     * How well it foretells the test text.
     *
     * @param perplexity exp of the mean negative log-likelihood
     * @param standardError of the perplexity
     * @param bitsPerByte of the text
     * @param tokensScored how many tokens it was asked about
     */
    public record Figures(double perplexity, double standardError, double bitsPerByte, long tokensScored) {}

    /**
     * How fast the built-in runtime runs it.
     *
     * @param prefill tokens a second of a prompt
     * @param decode tokens a second written
     */
    public record Rates(double prefill, double decode) {}

    /**
     * How exactly a file computes what it was made from.
     *
     * @param source the stage it was made from
     * @param maximumDifference largest difference of a logit on the first windows of the test text
     */
    public record Parity(String source, double maximumDifference) {}

    public Scores {
        divergences = Map.copyOf(divergences);
    }

    /** All that was measured of one stage's result: an ONNX file is run by two runtimes. */
    public record Sheet(String key, List<Scores> scores) {
        public Sheet {
            scores = List.copyOf(scores);
        }

        /** The built-in runtime's. */
        public Scores builtIn() {
            return scores.getFirst();
        }
    }
}
