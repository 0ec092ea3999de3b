package dev.demitasse.prune;

import java.util.OptionalInt;

/**
 * What to keep of a model.
 *
 * @param feedForward of the neurons of every layer
 * @param heads of the key/value heads of every layer, each with the query heads that share it
 * @param layers of the decoder layers
 * @param hidden of the width of the residual stream
 * @param importance how parts are ranked
 * @param multipleOf what kept fractions of neurons and hidden width are rounded to; absent: see {@link PruneSizes}
 */
public record PruneOptions(
        Keep feedForward, Keep heads, Keep layers, Keep hidden, Importance importance, OptionalInt multipleOf) {

    public PruneOptions {
        if (multipleOf.isPresent() && multipleOf.getAsInt() < 1) {
            throw new IllegalArgumentException("multiple of " + multipleOf.getAsInt());
        }
    }

    /** Keeps everything: where options start from. */
    public static PruneOptions keepAll(Importance importance) {
        return new PruneOptions(Keep.all(), Keep.all(), Keep.all(), Keep.all(), importance, OptionalInt.empty());
    }

    public PruneOptions withFeedForward(Keep keep) {
        return new PruneOptions(keep, heads, layers, hidden, importance, multipleOf);
    }

    public PruneOptions withHeads(Keep keep) {
        return new PruneOptions(feedForward, keep, layers, hidden, importance, multipleOf);
    }

    public PruneOptions withLayers(Keep keep) {
        return new PruneOptions(feedForward, heads, keep, hidden, importance, multipleOf);
    }

    public PruneOptions withHidden(Keep keep) {
        return new PruneOptions(feedForward, heads, layers, keep, importance, multipleOf);
    }

    public PruneOptions withMultipleOf(int multiple) {
        return new PruneOptions(feedForward, heads, layers, hidden, importance, OptionalInt.of(multiple));
    }
}
