package dev.demitasse.prune;

import dev.demitasse.model.ModelConfig;
import java.time.Duration;
import java.util.List;

/**
 * What pruning did.
 *
 * @param before the source
 * @param after the result
 * @param importance how parts were ranked
 * @param layers what happened to each layer of the source
 * @param channelShare kept part of the hidden channels' importance, 0 to 1
 * @param elapsed from start to finished checkpoint
 */
public record PruneReport(
        ModelConfig before,
        ModelConfig after,
        Importance importance,
        List<LayerCut> layers,
        double channelShare,
        Duration elapsed) {

    /**
     * One layer of the source.
     *
     * @param layer its number there
     * @param kept whether it is in the result
     * @param importance of the whole layer: Block Influence, or the norm of what it writes
     * @param neuronShare kept part of its neurons' importance, 0 to 1; 0 of a dropped layer
     * @param headShare kept part of its heads' importance, 0 to 1; 0 of a dropped layer
     */
    public record LayerCut(int layer, boolean kept, double importance, double neuronShare, double headShare) {}

    public PruneReport {
        layers = List.copyOf(layers);
    }

    /** Kept part of the parameters, 0 to 1. */
    public double parameterShare() {
        return (double) after.parameters() / before.parameters();
    }
}
