package dev.demitasse.infer;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TokenInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.commons.math3.special.Erf;

/**
 * What a configuration means, in double precision and plain loops over rows: each line a formula, nothing cached, nothing
 * shared with the runtime but the configuration itself.
 */
final class DoubleModel {
    private final ModelConfig config;
    private final WeightSource source;
    /** As {@link CpuModel.Trace#hiddenStates}. */
    final List<double[][]> states = new ArrayList<>();

    final double[][] logits;

    DoubleModel(ModelConfig config, WeightSource source, TokenInput input) {
        this.config = config;
        this.source = source;
        double[][] hidden = embed(input);
        boolean[] attended = input.attended().orElseGet(() -> {
            boolean[] all = new boolean[input.length()];
            Arrays.fill(all, true);
            return all;
        });
        states.add(hidden);
        for (int layer = 0; layer < config.layers(); layer++) {
            hidden = layer(hidden, layer, attended);
            states.add(hidden);
        }
        double[][] normed = config.head().norm() ? norm(hidden, Role.FINAL_NORM, -1) : hidden;
        states.set(states.size() - 1, normed);
        this.logits = head(normed);
    }

    private double[][] embed(TokenInput input) {
        double[][] table = matrix(TensorKey.weight(Role.EMBEDDING));
        double[][] rows = new double[input.length()][];
        for (int t = 0; t < rows.length; t++) {
            rows[t] = times(table[input.ids()[t]], config.embedding().scale());
        }
        if (config.embedding().width() != config.hiddenSize()) {
            rows = linear(rows, Role.PROJECT_IN, -1);
        }
        if (config.embedding().positions() > 0) {
            double[][] positions = matrix(TensorKey.weight(Role.POSITION_EMBEDDING));
            int[] at = input.positionRows(config);
            for (int t = 0; t < rows.length; t++) {
                rows[t] = plus(rows[t], positions[at[t]]);
            }
        }
        if (config.embedding().tokenTypes() > 0) {
            double[][] segments = matrix(TensorKey.weight(Role.TOKEN_TYPE_EMBEDDING));
            int[] types = input.segments(config);
            for (int t = 0; t < rows.length; t++) {
                rows[t] = plus(rows[t], segments[types[t]]);
            }
        }
        return config.embedding().norm() ? norm(rows, Role.EMBEDDING_NORM, -1) : rows;
    }

    private double[][] layer(double[][] h, int layer, boolean[] attended) {
        double scale = config.residualScale();
        Residual form = config.residual();
        return switch (form) {
            case PRE_NORM -> {
                double[][] middle =
                        plus(h, times(attention(norm(h, Role.ATTENTION_NORM, layer), layer, attended), scale));
                yield plus(middle, times(feedForward(norm(middle, Role.FEED_FORWARD_NORM, layer), layer), scale));
            }
            case POST_NORM -> {
                double[][] middle =
                        norm(plus(h, times(attention(h, layer, attended), scale)), Role.ATTENTION_POST_NORM, layer);
                yield norm(plus(middle, times(feedForward(middle, layer), scale)), Role.FEED_FORWARD_POST_NORM, layer);
            }
            case OUTPUT_NORM, SANDWICH_NORM -> {
                boolean before = form == Residual.SANDWICH_NORM;
                double[][] input = before ? norm(h, Role.ATTENTION_NORM, layer) : h;
                double[][] middle =
                        plus(h, times(norm(attention(input, layer, attended), Role.ATTENTION_POST_NORM, layer), scale));
                double[][] second = before ? norm(middle, Role.FEED_FORWARD_NORM, layer) : middle;
                yield plus(middle, times(norm(feedForward(second, layer), Role.FEED_FORWARD_POST_NORM, layer), scale));
            }
            case PARALLEL, PARALLEL_TWO_NORMS -> {
                double[][] first = norm(h, Role.ATTENTION_NORM, layer);
                double[][] second = form == Residual.PARALLEL ? first : norm(h, Role.FEED_FORWARD_NORM, layer);
                yield plus(
                        plus(h, times(attention(first, layer, attended), scale)),
                        times(feedForward(second, layer), scale));
            }
        };
    }

    private double[][] attention(double[][] x, int layer, boolean[] attended) {
        Attention attention = config.attention(layer);
        double[][] queries = heads(linear(x, Role.QUERY, layer), layer, Role.QUERY_NORM, attention.heads());
        double[][] keys = heads(linear(x, Role.KEY, layer), layer, Role.KEY_NORM, attention.keyValueHeads());
        double[][] values = linear(x, Role.VALUE, layer);
        if (attention.clip().isPresent()) {
            values = clip(values, attention.clip().getAsDouble());
        }
        int d = attention.headDimension();
        double[][] seen = new double[x.length][attention.queryWidth()];
        for (int t = 0; t < x.length; t++) {
            for (int head = 0; head < attention.heads(); head++) {
                int from = config.causal() ? Math.max(0, t - (attention.slidingWindow() - 1)) : 0;
                int to = config.causal() ? t + 1 : x.length;
                int keyAt = head / (attention.heads() / attention.keyValueHeads()) * d;
                double[] weights = new double[x.length];
                double total = 0;
                for (int j = from; j < to; j++) {
                    double score = 0;
                    for (int i = 0; i < d; i++) {
                        score += queries[t][head * d + i] * keys[j][keyAt + i];
                    }
                    score *= attention.scale();
                    if (attention.softCap().isPresent()) {
                        double cap = attention.softCap().getAsDouble();
                        score = cap * Math.tanh(score / cap);
                    }
                    weights[j] = attended[j] ? Math.exp(score + alibi(layer, head, t, j)) : 0;
                    total += weights[j];
                }
                for (int j = from; j < to; j++) {
                    for (int i = 0; i < d; i++) {
                        seen[t][head * d + i] += weights[j] / total * values[j][keyAt + i];
                    }
                }
            }
        }
        return linear(seen, Role.ATTENTION_OUTPUT, layer);
    }

    private double alibi(int layer, int head, int query, int key) {
        if (!(config.positions(layer) instanceof Positions.Alibi alibi)) {
            return 0;
        }
        double slope = alibi.slopes(config.attention(layer).heads())[head];
        if (!alibi.scaled()) {
            return -slope * (query - key);
        }
        double scale = config.attention(layer).scale();
        double own = bfloat16(bfloat16(slope) * bfloat16(query));
        return scale * (bfloat16(bfloat16(slope) * bfloat16(key)) - own);
    }

    private static double bfloat16(double value) {
        double unit = value == 0 ? 1 : Math.scalb(1.0, Math.getExponent(value) - 7);
        return Math.rint(value / unit) * unit;
    }

    /** Queries or keys: normalized, clipped, turned. */
    private double[][] heads(double[][] x, int layer, Role normRole, int heads) {
        Attention attention = config.attention(layer);
        int d = attention.headDimension();
        double[][] result = x;
        if (attention.queryKeyNorm().isPresent()) {
            Scope scope = attention.queryKeyNorm().get().scope();
            int width = scope == Scope.ALL_HEADS ? heads * d : d;
            TensorKey key = TensorKey.weight(normRole, layer);
            double[] weight = config.has(key) ? vector(key) : null;
            double[] bias = config.hasBias(key) ? vector(key.part(Part.BIAS)) : null;
            for (double[] row : result) {
                for (int at = 0; at < row.length; at += width) {
                    normalize(row, at, width, config.norm(key), weight, scope == Scope.EACH_HEAD ? at : 0, bias);
                }
            }
        }
        if (attention.clip().isPresent()) {
            result = clip(result, attention.clip().getAsDouble());
        }
        if (config.positions(layer) instanceof Positions.Rotary rotary) {
            double[] frequencies = rotary.frequencies(x.length);
            double factor = rotary.scaling().attentionFactor();
            int pairs = rotary.dimensions() / 2;
            for (int t = 0; t < x.length; t++) {
                for (int head = 0; head < heads; head++) {
                    for (int pair = 0; pair < pairs; pair++) {
                        boolean halves = rotary.pairing() == Pairing.HALVES;
                        int a = head * d + (halves ? pair : 2 * pair);
                        int b = halves ? a + pairs : a + 1;
                        double cosine = factor * Math.cos(t * frequencies[pair]);
                        double sine = factor * Math.sin(t * frequencies[pair]);
                        double first = result[t][a];
                        result[t][a] = first * cosine - result[t][b] * sine;
                        result[t][b] = result[t][b] * cosine + first * sine;
                    }
                }
            }
        }
        return result;
    }

    private double[][] feedForward(double[][] x, int layer) {
        if (config.feedForward(layer).experts().isEmpty()) {
            return block(
                    x,
                    layer,
                    TensorKey.weight(Role.GATE, layer),
                    TensorKey.weight(Role.UP, layer),
                    TensorKey.weight(Role.DOWN, layer));
        }
        Experts experts = config.feedForward(layer).experts().get();
        double[][] scores = linear(x, Role.ROUTER, layer);
        double[][] result = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            double[] powers = Arrays.stream(scores[t]).map(Math::exp).toArray();
            double all = Arrays.stream(powers).sum();
            int[] best = IntStream.range(0, experts.count())
                    .boxed()
                    .sorted((a, b) -> Double.compare(powers[b], powers[a]))
                    .limit(experts.used())
                    .mapToInt(Integer::intValue)
                    .toArray();
            double used = IntStream.of(best).mapToDouble(e -> powers[e]).sum();
            result[t] = new double[config.hiddenSize()];
            for (int e : best) {
                double[][] given = block(
                        new double[][] {x[t]},
                        layer,
                        TensorKey.expert(Role.EXPERT_GATE, layer, e),
                        TensorKey.expert(Role.EXPERT_UP, layer, e),
                        TensorKey.expert(Role.EXPERT_DOWN, layer, e));
                result[t] = plus(result[t], times(given[0], powers[e] / (experts.normalized() ? used : all)));
            }
        }
        if (experts.sharedSize() > 0) {
            double[][] gates = linear(x, Role.SHARED_ROUTER, layer);
            double[][] given = block(
                    x,
                    layer,
                    TensorKey.weight(Role.SHARED_GATE, layer),
                    TensorKey.weight(Role.SHARED_UP, layer),
                    TensorKey.weight(Role.SHARED_DOWN, layer));
            for (int t = 0; t < x.length; t++) {
                result[t] = plus(result[t], times(given[t], 1 / (1 + Math.exp(-gates[t][0]))));
            }
        }
        return result;
    }

    private double[][] block(double[][] x, int layer, TensorKey gate, TensorKey up, TensorKey down) {
        boolean gated = config.feedForward(layer).gated();
        double[][] neurons = linear(x, up);
        double[][] gates = gated ? linear(x, gate) : neurons;
        Activation activation = config.feedForward(layer).activation();
        for (int t = 0; t < x.length; t++) {
            for (int i = 0; i < neurons[t].length; i++) {
                double active = activate(activation, gates[t][i]);
                neurons[t][i] = gated ? active * neurons[t][i] : active;
            }
        }
        return linear(neurons, down);
    }

    static double activate(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> x / 2 * Erf.erfc(-x / Math.sqrt(2));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(x, 0);
        };
    }

    private double[][] head(double[][] normed) {
        double[][] x =
                config.embedding().width() == config.hiddenSize() ? normed : linear(normed, Role.PROJECT_OUT, -1);
        if (config.head().transform().isPresent()) {
            x = linear(x, Role.HEAD_TRANSFORM, -1);
            for (double[] row : x) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = activate(config.head().transform().get(), row[i]);
                }
            }
            x = norm(x, Role.HEAD_NORM, -1);
        }
        double[][] result = times(linear(x, Role.HEAD, -1), config.head().scale());
        if (config.head().softCap().isPresent()) {
            double cap = config.head().softCap().getAsDouble();
            for (double[] row : result) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = cap * Math.tanh(row[i] / cap);
                }
            }
        }
        return result;
    }

    private double[][] norm(double[][] x, Role role, int layer) {
        TensorKey key = TensorKey.weight(role, layer);
        double[] weight = config.has(key) ? vector(key) : null;
        double[] bias = config.hasBias(key) ? vector(key.part(Part.BIAS)) : null;
        double[][] result = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            result[t] = x[t].clone();
            normalize(result[t], 0, x[t].length, config.norm(key), weight, 0, bias);
        }
        return result;
    }

    private static void normalize(
            double[] row, int at, int width, Norm norm, double[] weight, int weightAt, double[] bias) {
        double mean = 0;
        if (norm instanceof Norm.Layer) {
            mean = IntStream.range(at, at + width)
                    .mapToDouble(i -> row[i])
                    .average()
                    .orElseThrow();
        }
        double squares = 0;
        for (int i = at; i < at + width; i++) {
            squares += (row[i] - mean) * (row[i] - mean);
        }
        double root = Math.sqrt(squares / width + norm.epsilon());
        for (int i = 0; i < width; i++) {
            double factor = weight == null ? 1 : weight[weightAt + i] + (norm.unitOffset() ? 1 : 0);
            row[at + i] = (row[at + i] - mean) / root * factor + (bias == null ? 0 : bias[weightAt + i]);
        }
    }

    private double[][] linear(double[][] x, Role role, int layer) {
        return linear(x, TensorKey.weight(role, layer));
    }

    private double[][] linear(double[][] x, TensorKey key) {
        boolean tied = key.role() == Role.HEAD && config.tiedHead();
        double[][] weight = matrix(tied ? TensorKey.weight(Role.EMBEDDING) : key);
        double[] bias = config.hasBias(key) ? vector(key.part(Part.BIAS)) : new double[weight.length];
        double[][] y = new double[x.length][weight.length];
        for (int t = 0; t < x.length; t++) {
            for (int row = 0; row < weight.length; row++) {
                y[t][row] = bias[row];
                for (int i = 0; i < x[t].length; i++) {
                    y[t][row] += weight[row][i] * x[t][i];
                }
            }
        }
        return y;
    }

    private double[] vector(TensorKey key) {
        float[] values = source.tensor(key).toFloats();
        return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
    }

    private double[][] matrix(TensorKey key) {
        Tensor tensor = source.tensor(key);
        double[] values = vector(key);
        int columns = tensor.columns();
        return IntStream.range(0, tensor.rows())
                .mapToObj(row -> Arrays.copyOfRange(values, row * columns, (row + 1) * columns))
                .toArray(double[][]::new);
    }

    private static double[][] clip(double[][] x, double bound) {
        for (double[] row : x) {
            for (int i = 0; i < row.length; i++) {
                row[i] = Math.clamp(row[i], -bound, bound);
            }
        }
        return x;
    }

    private static double[] plus(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] + b[i]).toArray();
    }

    private static double[][] plus(double[][] a, double[][] b) {
        return IntStream.range(0, a.length).mapToObj(t -> plus(a[t], b[t])).toArray(double[][]::new);
    }

    private static double[] times(double[] a, double factor) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] * factor).toArray();
    }

    private static double[][] times(double[][] a, double factor) {
        return IntStream.range(0, a.length).mapToObj(t -> times(a[t], factor)).toArray(double[][]::new);
    }
}
