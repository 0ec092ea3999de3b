package dev.demitasse.infer.bench;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Experts;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.util.Set;

/** How many bytes of weights a model reads for one token. */
public final class WeightTraffic {
    /** Tables of which a token takes a row. */
    private static final Set<Role> ROWS = Set.of(Role.EMBEDDING, Role.POSITION_EMBEDDING, Role.TOKEN_TYPE_EMBEDDING);

    private WeightTraffic() {}

    /**
     * Bytes of the tensors, as the file holds them, that one decode step multiplies with or adds: all but the rows of tables
     * that are not the token's, and the experts that it is not sent to.
     */
    public static long bytesPerToken(Checkpoint checkpoint) {
        ModelConfig config = checkpoint.config();
        double bytes = 0;
        for (TensorKey key : config.tensors()) {
            bytes += checkpoint.format(key).bytes(Tensor.elements(config.shape(key))) * share(config, key);
        }
        return Math.round(bytes);
    }

    /** The part of a tensor that one token needs. */
    private static double share(ModelConfig config, TensorKey key) {
        if (key.expert() != TensorKey.NO_EXPERT) {
            Experts experts = config.feedForward(key.layer()).experts().orElseThrow();
            return (double) experts.used() / experts.count();
        }
        boolean looksUp = ROWS.contains(key.role()) && !(key.role() == Role.EMBEDDING && config.tiedHead());
        return looksUp ? 1.0 / config.rows(key) : 1;
    }
}
