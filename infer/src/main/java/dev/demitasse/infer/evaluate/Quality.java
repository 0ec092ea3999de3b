package dev.demitasse.infer.evaluate;

import java.util.List;
import java.util.Optional;

/**
 * How well a model predicts a text.
 *
 * @param perplexity e to the {@code nll}
 * @param perplexityStandardError perplexity times the standard error of {@code nll} over tokens
 * @param nll mean negative natural-log likelihood of the scored tokens
 * @param bitsPerByte the scored tokens' negative log₂ likelihood by the bytes of text they stand for: comparable between
 *     tokenizers
 * @param tokensScored how many tokens the figures are over
 * @param divergences from the references, in their order
 */
public record Quality(
        double perplexity,
        double perplexityStandardError,
        double nll,
        double bitsPerByte,
        long tokensScored,
        List<Divergence> divergences) {
    public Quality {
        divergences = List.copyOf(divergences);
    }

    /** From the first reference, if there was one. */
    public Optional<Divergence> divergence() {
        return divergences.stream().findFirst();
    }
}
