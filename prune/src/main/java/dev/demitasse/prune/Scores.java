package dev.demitasse.prune;

/**
 * How much each part of a model matters, from 0 up; compared within one row only.
 *
 * @param neurons of each layer, {@code [layers, intermediate]}
 * @param groups key/value heads of each layer, {@code [layers, keyValueHeads]}
 * @param layers {@code [layers]}
 * @param channels of the residual stream, {@code [hidden]}
 * @param channelEnergy how the mean square of the residual stream divides among its channels where each norm reads it,
 *     {@code [2·layers + 1, hidden]}: attention norm and feed-forward norm of each layer, then the final norm
 */
record Scores(double[][] neurons, double[][] groups, double[] layers, double[] channels, double[][] channelEnergy) {
    /** Row of {@link #channelEnergy} of a layer's attention norm. */
    static int attentionNorm(int layer) {
        return 2 * layer;
    }

    /** Row of {@link #channelEnergy} of a layer's feed-forward norm. */
    static int feedForwardNorm(int layer) {
        return 2 * layer + 1;
    }

    /** Row of {@link #channelEnergy} of the final norm. */
    int finalNorm() {
        return channelEnergy.length - 1;
    }
}
