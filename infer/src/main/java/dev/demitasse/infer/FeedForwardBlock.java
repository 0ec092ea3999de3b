package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Activations;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/** A layer's feed-forward block. */
sealed interface FeedForwardBlock permits FeedForwardBlock.Dense, ExpertMixture {
    /**
     * What it gives for {@code input [tokens, hiddenSize]}, which it only reads, in a new array of that shape.
     *
     * @param listener is told of the inputs of its projections
     */
    float[] apply(float[] input, int tokens, ActivationListener listener);

    static FeedForwardBlock load(ModelConfig config, Projections source, int layer, Workers workers) {
        FeedForward feedForward = config.feedForward(layer);
        if (feedForward.experts().isPresent()) {
            return ExpertMixture.load(config, source, layer, workers);
        }
        Optional<TensorKey> gate =
                feedForward.gated() ? Optional.of(TensorKey.weight(Role.GATE, layer)) : Optional.empty();
        return Dense.load(
                config, source, gate, TensorKey.weight(Role.UP, layer), TensorKey.weight(Role.DOWN, layer), workers);
    }

    /** down(activation(gate(x)) · up(x)), or down(activation(up(x))) without a gate. */
    final class Dense implements FeedForwardBlock {
        /** What an activation costs, in multiply-adds. */
        private static final long ACTIVATION_COST = 32;

        private static final int ACTIVATED_A_PART = 2048;

        private final Activation activation;
        private final TensorKey firstKey;
        private final TensorKey downKey;
        private final Optional<Linear> gate;
        private final Linear up;
        private final Linear down;
        private final Workers workers;

        private Dense(
                Activation activation,
                TensorKey firstKey,
                TensorKey downKey,
                Optional<Linear> gate,
                Linear up,
                Linear down,
                Workers workers) {
            this.activation = activation;
            this.firstKey = firstKey;
            this.downKey = downKey;
            this.gate = gate;
            this.up = up;
            this.down = down;
            this.workers = workers;
        }

        static Dense load(
                ModelConfig config,
                Projections source,
                Optional<TensorKey> gate,
                TensorKey up,
                TensorKey down,
                Workers workers) {
            return new Dense(
                    config.feedForward(up.layer()).activation(),
                    gate.orElse(up),
                    down,
                    gate.map(key -> source.linear(key)),
                    source.linear(up),
                    source.linear(down),
                    workers);
        }

        @Override
        public float[] apply(float[] input, int tokens, ActivationListener listener) {
            return project(neurons(input, tokens, listener), tokens);
        }

        /** What the last projection sees, {@code [tokens, intermediateSize]}, in a new array. */
        float[] neurons(float[] input, int tokens, ActivationListener listener) {
            listener.onInput(firstKey, input, tokens, up.inputs());
            LinearInput shared = new LinearInput(input, tokens, up.inputs());
            float[] neurons = gate.orElse(up).multiply(shared, workers);
            float[] ups = gate.isPresent() ? up.multiply(shared, workers) : neurons;
            int width = up.outputs();
            int count = tokens * width;
            // By stretches, not tokens: of one token's neurons too every thread gets some.
            workers.worth(ACTIVATION_COST * count).run(Math.ceilDiv(count, ACTIVATED_A_PART), part -> {
                int at = part * ACTIVATED_A_PART;
                int size = Math.min(ACTIVATED_A_PART, count - at);
                if (gate.isPresent()) {
                    Activations.applyGated(activation, neurons, ups, at, size);
                } else {
                    Activations.apply(activation, neurons, at, size);
                }
            });
            listener.onInput(downKey, neurons, tokens, width);
            return neurons;
        }

        /** The last projection of what {@link #neurons} gave, {@code [tokens, hiddenSize]}, in a new array. */
        float[] project(float[] neurons, int tokens) {
            return down.multiply(new LinearInput(neurons, tokens, down.inputs()), workers);
        }
    }
}
