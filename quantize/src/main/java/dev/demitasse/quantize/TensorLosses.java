package dev.demitasse.quantize;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What rounding single matrices does to them and to what they put out for the inputs seen. */
final class TensorLosses implements ActivationListener {
    /** Of each input so many tokens are looked at; a relative error needs no more. */
    private static final int MOST_TOKENS = 4096;

    /** Numbers of a difference of matrices in memory. */
    private static final int TILE = 1 << 23;

    private final ModelConfig config;
    private final Map<TensorKey, List<LinearInput>> inputs = new HashMap<>();

    TensorLosses(ModelConfig config) {
        this.config = config;
    }

    /**
     * Sums of squares.
     *
     * @param weightLost |W − Q|²
     * @param weight |W|²
     * @param outputLost |X(W − Q)ᵀ|², 0 where no X was seen
     * @param output |XWᵀ|², 0 where no X was seen
     */
    record Loss(double weightLost, double weight, double outputLost, double output) {
        static final Loss NONE = new Loss(0, 0, 0, 0);

        Loss plus(Loss other) {
            return new Loss(
                    weightLost + other.weightLost,
                    weight + other.weight,
                    outputLost + other.outputLost,
                    output + other.output);
        }
    }

    /** Keeps what enters {@code projection}, whose inputs before are kept too. */
    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        List<LinearInput> seen = inputs.computeIfAbsent(projection, missing -> new ArrayList<>());
        int before = seen.stream().mapToInt(LinearInput::tokens).sum();
        int taken = Math.min(tokens, MOST_TOKENS - before);
        if (taken > 0) {
            seen.add(new LinearInput(Arrays.copyOf(input, taken * width), taken, width));
        }
    }

    void forgetInputs() {
        inputs.clear();
    }

    /** Of {@code key}'s weight rounded; empty {@code rounded}: left as it is. */
    Loss of(TensorKey key, Tensor weight, Optional<RoundedTensor> rounded) {
        List<LinearInput> seen = inputs.getOrDefault(inputOf(key), List.of());
        int columns = weight.columns();
        int atOnce = Math.max(1, TILE / columns);
        Loss total = Loss.NONE;
        for (int first = 0; first < weight.rows(); first += atOnce) {
            int from = first;
            int rows = Math.min(atOnce, weight.rows() - from);
            float[] exact = new float[rows * columns];
            float[] difference = new float[exact.length];
            Workers.COMMON.run(rows, row -> weight.readRow(from + row, exact, row * columns));
            rounded.ifPresent(values -> Workers.COMMON.run(rows, row -> {
                values.readRow(from + row, difference, row * columns);
                for (int i = row * columns; i < (row + 1) * columns; i++) {
                    difference[i] = exact[i] - difference[i];
                }
            }));
            total = total.plus(new Loss(
                    squares(difference),
                    squares(exact),
                    rounded.isPresent() ? energy(difference, rows, columns, seen) : 0,
                    energy(exact, rows, columns, seen)));
        }
        return total;
    }

    private static double energy(float[] matrix, int rows, int columns, List<LinearInput> inputs) {
        Linear linear = Linear.of(Tensor.ofFloats("difference", matrix, rows, columns), Optional.empty());
        double sum = 0;
        for (LinearInput input : inputs) {
            sum += squares(linear.multiply(input, Workers.COMMON));
        }
        return sum;
    }

    private static double squares(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += (double) value * value;
        }
        return sum;
    }

    /** The projection that {@link ActivationListener} tells of in place of {@code key}. */
    private TensorKey inputOf(TensorKey key) {
        // Tied: what matters is what it foretells.
        boolean head = key.role() == Role.EMBEDDING && config.tiedHead();
        Role told = head ? Role.HEAD : config.input(key).role();
        return new TensorKey(told, key.part(), key.layer(), key.expert());
    }
}
