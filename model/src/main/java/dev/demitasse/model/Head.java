package dev.demitasse.model;

import dev.demitasse.model.FeedForward.Activation;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * How the residual stream becomes logits: the final norm, {@link Role#PROJECT_OUT} where the embedding is of another
 * width, {@code transform}, the projection onto the vocabulary, {@code scale}, {@code softCap}.
 *
 * @param tied whether the embedding is also the projection
 * @param bias whether a bias is added, to the logits before {@code scale}
 * @param norm whether {@link Role#FINAL_NORM} comes first
 * @param scale multiplies the logits
 * @param softCap c of c · tanh(logit / c) (Gemma 2)
 * @param transform the activation of a masked-language-model head's own layer: norm(activation(transform(h)))
 */
public record Head(
        boolean tied,
        boolean bias,
        boolean norm,
        double scale,
        OptionalDouble softCap,
        Optional<Activation> transform) {
    public Head {
        if (!(scale > 0) || Double.isInfinite(scale) || softCap.stream().anyMatch(cap -> !(cap > 0))) {
            throw new IllegalArgumentException("logit scale %s, soft cap %s".formatted(scale, softCap));
        }
    }

    /** Final norm and projection. */
    public static Head plain(boolean tied) {
        return new Head(tied, false, true, 1, OptionalDouble.empty(), Optional.empty());
    }

    public Head withTied(boolean other) {
        return new Head(other, bias, norm, scale, softCap, transform);
    }

    public Head withBias(boolean other) {
        return new Head(tied, other, norm, scale, softCap, transform);
    }

    public Head withNorm(boolean other) {
        return new Head(tied, bias, other, scale, softCap, transform);
    }

    public Head withScale(double other) {
        return new Head(tied, bias, norm, other, softCap, transform);
    }

    public Head withSoftCap(OptionalDouble cap) {
        return new Head(tied, bias, norm, scale, cap, transform);
    }

    public Head withTransform(Optional<Activation> activation) {
        return new Head(tied, bias, norm, scale, softCap, activation);
    }
}
