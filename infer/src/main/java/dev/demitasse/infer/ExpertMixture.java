package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Experts;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A mixture of experts (Shazeer et al., arXiv:1701.06538 §2): y = Σ w_e · expert_e(x) over the experts that the softmax of
 * the router's scores ranks first, w the softmax over all experts, divided by their sum where the model says so; plus
 * sigmoid(s(x)) · shared(x) where all tokens share an expert. The tokens sent to an expert go through it together, one
 * product a matrix; the weights of experts to which none are sent are not touched.
 */
final class ExpertMixture implements FeedForwardBlock {
    private final Experts experts;
    private final int hiddenSize;
    private final Linear router;
    private final List<Dense> each;
    private final Optional<Linear> sharedRouter;
    private final Optional<Dense> shared;
    private final Workers workers;

    private ExpertMixture(ModelConfig config, Projections source, int layer, Workers workers) {
        this.experts = config.feedForward(layer).experts().orElseThrow();
        this.hiddenSize = config.hiddenSize();
        this.workers = workers;
        this.router = source.linear(Role.ROUTER, layer);
        List<Dense> loaded = new ArrayList<>();
        for (int expert = 0; expert < experts.count(); expert++) {
            loaded.add(Dense.load(
                    config,
                    source,
                    Optional.of(TensorKey.expert(Role.EXPERT_GATE, layer, expert)),
                    TensorKey.expert(Role.EXPERT_UP, layer, expert),
                    TensorKey.expert(Role.EXPERT_DOWN, layer, expert),
                    workers));
        }
        this.each = List.copyOf(loaded);
        if (experts.sharedSize() > 0) {
            this.sharedRouter = Optional.of(source.linear(Role.SHARED_ROUTER, layer));
            this.shared = Optional.of(Dense.load(
                    config,
                    source,
                    Optional.of(TensorKey.weight(Role.SHARED_GATE, layer)),
                    TensorKey.weight(Role.SHARED_UP, layer),
                    TensorKey.weight(Role.SHARED_DOWN, layer),
                    workers));
        } else {
            this.sharedRouter = Optional.empty();
            this.shared = Optional.empty();
        }
    }

    static ExpertMixture load(ModelConfig config, Projections source, int layer, Workers workers) {
        return new ExpertMixture(config, source, layer, workers);
    }

    /**
     * Which experts compute for which tokens.
     *
     * @param chosen {@code [tokens · used]}, the best first
     * @param weights of the same shape
     */
    private record Routes(int[] chosen, float[] weights) {}

    @Override
    public float[] apply(float[] input, int tokens, ActivationListener listener) {
        LinearInput seen = new LinearInput(input, tokens, hiddenSize);
        Routes routes = route(router.multiply(seen, workers), tokens);
        float[] output = new float[Math.multiplyExact(tokens, hiddenSize)];
        int[] sent = new int[tokens];
        float[] weights = new float[tokens];
        for (int expert = 0; expert < each.size(); expert++) {
            int count = 0;
            for (int i = 0; i < routes.chosen.length; i++) {
                if (routes.chosen[i] == expert) {
                    sent[count] = i / experts.used();
                    weights[count++] = routes.weights[i];
                }
            }
            if (count > 0) {
                float[] given = each.get(expert).apply(gather(input, sent, count), count, listener);
                for (int i = 0; i < count; i++) {
                    Elementwise.addScaled(given, i * hiddenSize, weights[i], output, sent[i] * hiddenSize, hiddenSize);
                }
            }
        }
        if (shared.isPresent() && sharedRouter.isPresent()) {
            float[] scores = sharedRouter.get().multiply(seen, workers);
            float[] given = shared.get().apply(input, tokens, listener);
            for (int token = 0; token < tokens; token++) {
                float weight = (float) (1 / (1 + Math.exp(-scores[token])));
                Elementwise.addScaled(given, token * hiddenSize, weight, output, token * hiddenSize, hiddenSize);
            }
        }
        return output;
    }

    private float[] gather(float[] input, int[] sent, int count) {
        float[] rows = new float[Math.multiplyExact(count, hiddenSize)];
        for (int i = 0; i < count; i++) {
            System.arraycopy(input, sent[i] * hiddenSize, rows, i * hiddenSize, hiddenSize);
        }
        return rows;
    }

    private Routes route(float[] scores, int tokens) {
        int used = experts.used();
        Routes routes = new Routes(new int[tokens * used], new float[tokens * used]);
        float[] row = new float[Elementwise.padded(experts.count())];
        for (int token = 0; token < tokens; token++) {
            System.arraycopy(scores, token * experts.count(), row, 0, experts.count());
            Elementwise.softmax(row, experts.count());
            float sum = 0;
            for (int i = 0; i < used; i++) {
                int best = largest(row);
                routes.chosen[token * used + i] = best;
                routes.weights[token * used + i] = row[best];
                sum += row[best];
                row[best] = -1;
            }
            if (experts.normalized()) {
                for (int i = token * used; i < (token + 1) * used; i++) {
                    routes.weights[i] /= sum;
                }
            }
        }
        return routes;
    }

    /** The first of the largest. */
    private int largest(float[] values) {
        int best = 0;
        for (int i = 1; i < experts.count(); i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }
}
