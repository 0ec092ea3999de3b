package dev.demitasse.model.reference;

import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TokenInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.commons.math3.special.Erf;

/**
 * What the model package's Javadoc says a model computes, in loops over doubles, one number at a time: slow, and near
 * enough to the formulas to be checked by eye.
 *
 * @param weights every tensor, row-major
 */
public record PlainModel(ModelConfig config, Map<TensorKey, double[]> weights) {

    /**
     * @param logits {@code [T][V]}
     * @param states the embeddings, what each layer but the last gives, and what the last gives after the final norm, each
     *     {@code [T][H]}
     */
    public record Result(double[][] logits, List<double[][]> states) {}

    /** Runs one sequence. */
    public Result forward(TokenInput input) {
        double[][] h = embed(input);
        List<double[][]> states = new ArrayList<>();
        states.add(h);
        for (int layer = 0; layer < config.layers(); layer++) {
            h = layer(h, layer, input);
            states.add(h);
        }
        if (config.head().norm()) {
            h = norm(h, Role.FINAL_NORM, -1);
        }
        states.set(config.layers(), h);
        return new Result(logits(h), states);
    }

    private double[][] embed(TokenInput input) {
        double[][] h = new double[input.length()][];
        int[] rows = config.embedding().positions() > 0 ? input.positionRows(config) : new int[0];
        for (int t = 0; t < h.length; t++) {
            double[] word = row(TensorKey.weight(Role.EMBEDDING), input.ids()[t]);
            Arrays.setAll(word, i -> word[i] * config.embedding().scale());
            h[t] = config.embedding().width() == config.hiddenSize()
                    ? word
                    : linear(word, TensorKey.weight(Role.PROJECT_IN));
            if (rows.length > 0) {
                h[t] = sum(h[t], row(TensorKey.weight(Role.POSITION_EMBEDDING), rows[t]));
            }
            if (config.embedding().tokenTypes() > 0) {
                h[t] = sum(h[t], row(TensorKey.weight(Role.TOKEN_TYPE_EMBEDDING), input.segments(config)[t]));
            }
        }
        return config.embedding().norm() ? norm(h, Role.EMBEDDING_NORM, -1) : h;
    }

    private double[][] layer(double[][] h, int layer, TokenInput input) {
        double s = config.residualScale();
        double[][] before = switch (config.residual()) {
            case PRE_NORM, SANDWICH_NORM, PARALLEL, PARALLEL_TWO_NORMS -> norm(h, Role.ATTENTION_NORM, layer);
            case POST_NORM, OUTPUT_NORM -> h;
        };
        double[][] a = new PlainAttention(this, layer).apply(before, input);
        double[][] middle = switch (config.residual()) {
            case PRE_NORM -> add(h, a, s);
            case OUTPUT_NORM, SANDWICH_NORM -> add(h, norm(a, Role.ATTENTION_POST_NORM, layer), s);
            case POST_NORM -> norm(add(h, a, s), Role.ATTENTION_POST_NORM, layer);
            case PARALLEL, PARALLEL_TWO_NORMS -> h;
        };
        double[][] fed = switch (config.residual()) {
            case PRE_NORM, SANDWICH_NORM -> norm(middle, Role.FEED_FORWARD_NORM, layer);
            case PARALLEL_TWO_NORMS -> norm(h, Role.FEED_FORWARD_NORM, layer);
            case PARALLEL -> before;
            case POST_NORM, OUTPUT_NORM -> middle;
        };
        double[][] f = Arrays.stream(fed).map(x -> feedForward(x, layer)).toArray(double[][]::new);
        return switch (config.residual()) {
            case PRE_NORM -> add(middle, f, s);
            case OUTPUT_NORM, SANDWICH_NORM -> add(middle, norm(f, Role.FEED_FORWARD_POST_NORM, layer), s);
            case POST_NORM -> norm(add(middle, f, s), Role.FEED_FORWARD_POST_NORM, layer);
            case PARALLEL, PARALLEL_TWO_NORMS -> add(add(h, a, s), f, s);
        };
    }

    private double[] feedForward(double[] x, int layer) {
        FeedForward form = config.feedForward(layer);
        if (form.experts().isEmpty()) {
            TensorKey gate = TensorKey.weight(Role.GATE, layer);
            return neurons(x, form, gate, TensorKey.weight(Role.UP, layer), TensorKey.weight(Role.DOWN, layer));
        }
        Experts experts = form.experts().get();
        double[] p = softmax(linear(x, TensorKey.weight(Role.ROUTER, layer)));
        List<Integer> chosen = IntStream.range(0, experts.count())
                .boxed()
                .sorted(Comparator.comparingDouble(e -> -p[e]))
                .limit(experts.used())
                .toList();
        double total =
                experts.normalized() ? chosen.stream().mapToDouble(e -> p[e]).sum() : 1;
        double[] y = new double[x.length];
        for (int e : chosen) {
            double[] part = neurons(
                    x,
                    form,
                    TensorKey.expert(Role.EXPERT_GATE, layer, e),
                    TensorKey.expert(Role.EXPERT_UP, layer, e),
                    TensorKey.expert(Role.EXPERT_DOWN, layer, e));
            Arrays.setAll(y, i -> y[i] + p[e] / total * part[i]);
        }
        if (experts.sharedSize() > 0) {
            double share = 1 / (1 + Math.exp(-linear(x, TensorKey.weight(Role.SHARED_ROUTER, layer))[0]));
            double[] part = neurons(
                    x,
                    form,
                    TensorKey.weight(Role.SHARED_GATE, layer),
                    TensorKey.weight(Role.SHARED_UP, layer),
                    TensorKey.weight(Role.SHARED_DOWN, layer));
            Arrays.setAll(y, i -> y[i] + share * part[i]);
        }
        return y;
    }

    private double[] neurons(double[] x, FeedForward form, TensorKey gate, TensorKey up, TensorKey down) {
        double[] neurons = linear(x, up);
        double[] gates = form.gated() ? linear(x, gate) : neurons.clone();
        Arrays.setAll(
                neurons,
                i -> form.gated()
                        ? activated(form.activation(), gates[i]) * neurons[i]
                        : activated(form.activation(), gates[i]));
        return linear(neurons, down);
    }

    private static double activated(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> x / 2 * (1 + Erf.erf(x / Math.sqrt(2)));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(x, 0);
        };
    }

    private double[][] logits(double[][] h) {
        double[][] logits = new double[h.length][];
        for (int t = 0; t < h.length; t++) {
            double[] x = h[t];
            if (config.embedding().width() != config.hiddenSize()) {
                x = linear(x, TensorKey.weight(Role.PROJECT_OUT));
            }
            if (config.head().transform().isPresent()) {
                double[] y = linear(x, TensorKey.weight(Role.HEAD_TRANSFORM));
                Arrays.setAll(y, i -> activated(config.head().transform().get(), y[i]));
                x = weighted(normalized(y, config.norm()), TensorKey.weight(Role.HEAD_NORM), 0);
            }
            TensorKey head = TensorKey.weight(Role.HEAD);
            double[] z = times(x, config.head().tied() ? TensorKey.weight(Role.EMBEDDING) : head);
            double[] bias = weights.getOrDefault(head.part(Part.BIAS), new double[z.length]);
            double cap = config.head().softCap().orElse(Double.NaN);
            Arrays.setAll(z, i -> (z[i] + bias[i]) * config.head().scale());
            Arrays.setAll(z, i -> Double.isNaN(cap) ? z[i] : cap * Math.tanh(z[i] / cap));
            logits[t] = z;
        }
        return logits;
    }

    private double[][] norm(double[][] x, Role role, int layer) {
        return Arrays.stream(x)
                .map(row -> weighted(normalized(row, config.norm()), TensorKey.weight(role, layer), 0))
                .toArray(double[][]::new);
    }

    static double[] normalized(double[] x, Norm norm) {
        double mean = norm instanceof Norm.Layer ? Arrays.stream(x).average().orElseThrow() : 0;
        double square = Arrays.stream(x)
                .map(each -> (each - mean) * (each - mean))
                .average()
                .orElseThrow();
        return Arrays.stream(x)
                .map(each -> (each - mean) / Math.sqrt(square + norm.epsilon()))
                .toArray();
    }

    double[] weighted(double[] x, TensorKey key, int from) {
        double[] weight = weights.get(key);
        double[] bias = weights.get(key.part(Part.BIAS));
        double[] y = x.clone();
        Arrays.setAll(y, i -> (weight == null ? 1 : weight[from + i]) * x[i] + (bias == null ? 0 : bias[from + i]));
        return y;
    }

    double[] linear(double[] x, TensorKey key) {
        double[] y = times(x, key);
        double[] bias = weights.get(key.part(Part.BIAS));
        return bias == null ? y : sum(y, bias);
    }

    private double[] times(double[] x, TensorKey key) {
        double[] weight = weights.get(key);
        double[] y = new double[weight.length / x.length];
        for (int row = 0; row < y.length; row++) {
            for (int i = 0; i < x.length; i++) {
                y[row] += weight[row * x.length + i] * x[i];
            }
        }
        return y;
    }

    private double[] row(TensorKey table, int index) {
        int width = config.columns(table);
        return Arrays.copyOfRange(weights.get(table), index * width, (index + 1) * width);
    }

    private static double[] softmax(double[] x) {
        double total = Arrays.stream(x).map(Math::exp).sum();
        return Arrays.stream(x).map(each -> Math.exp(each) / total).toArray();
    }

    private static double[] sum(double[] x, double[] y) {
        return IntStream.range(0, x.length).mapToDouble(i -> x[i] + y[i]).toArray();
    }

    private static double[][] add(double[][] h, double[][] part, double scale) {
        double[][] y = new double[h.length][];
        for (int t = 0; t < h.length; t++) {
            double[] row = part[t];
            double[] base = h[t];
            y[t] = IntStream.range(0, base.length)
                    .mapToDouble(i -> base[i] + scale * row[i])
                    .toArray();
        }
        return y;
    }
}
