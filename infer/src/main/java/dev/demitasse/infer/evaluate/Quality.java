package dev.demitasse.infer.evaluate;

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
 * @param divergence from the reference model, if there was one
 */
public record Quality(
        double perplexity,
        double perplexityStandardError,
        double nll,
        double bitsPerByte,
        long tokensScored,
        Optional<Divergence> divergence) {}
