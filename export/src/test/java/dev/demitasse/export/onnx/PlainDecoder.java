package dev.demitasse.export.onnx;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.QueryKeyNorm;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A decoder in plain loops over doubles, written from the definitions that {@link ModelConfig}'s parts state: what a graph
 * of any form must compute. Checked itself against transformers in {@link OnnxGoldenTest}. All matrices are arrays of rows.
 */
final class PlainDecoder {
    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final Map<TensorKey, double[]> tensors = new HashMap<>();
    private final List<double[][]> hiddenStates = new ArrayList<>();

    PlainDecoder(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
    }

    /** The residual stream before each layer and, normalized, after the last, of the last {@link #logits}. */
    List<double[][]> hiddenStates() {
        return hiddenStates;
    }

    /** {@code [T][V]}. */
    double[][] logits(int... ids) {
        hiddenStates.clear();
        double[][] hidden = new double[ids.length][];
        for (int at = 0; at < ids.length; at++) {
            hidden[at] = embed(ids[at], at);
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            hiddenStates.add(hidden);
            hidden = layer(layer, hidden);
        }
        double[][] normed = config.head().norm() ? norm(hidden, TensorKey.weight(Role.FINAL_NORM)) : hidden;
        hiddenStates.add(normed);
        if (config.has(TensorKey.weight(Role.PROJECT_OUT))) {
            normed = linear(normed, TensorKey.weight(Role.PROJECT_OUT));
        }
        double[][] logits = linear(normed, TensorKey.weight(Role.HEAD));
        for (double[] row : logits) {
            for (int i = 0; i < row.length; i++) {
                double scaled = row[i] * config.head().scale();
                row[i] = config.head().softCap().isPresent()
                        ? capped(scaled, config.head().softCap().getAsDouble())
                        : scaled;
            }
        }
        return logits;
    }

    private static double capped(double value, double cap) {
        return cap * Math.tanh(value / cap);
    }

    private double[] embed(int id, int position) {
        double[] row = scaled(
                row(TensorKey.weight(Role.EMBEDDING), id), config.embedding().scale());
        if (config.has(TensorKey.weight(Role.PROJECT_IN))) {
            row = linear(new double[][] {row}, TensorKey.weight(Role.PROJECT_IN))[0];
        }
        if (config.embedding().positions() > 0) {
            int place = position + config.embedding().positionOffset();
            row = sum(row, row(TensorKey.weight(Role.POSITION_EMBEDDING), place));
        }
        return config.embedding().norm() ? norm(new double[][] {row}, TensorKey.weight(Role.EMBEDDING_NORM))[0] : row;
    }

    private double[][] layer(int layer, double[][] h) {
        return switch (config.residual()) {
            case PRE_NORM -> {
                double[][] between = added(h, attention(layer, normed(Role.ATTENTION_NORM, layer, h)));
                yield added(between, feedForward(layer, normed(Role.FEED_FORWARD_NORM, layer, between)));
            }
            case POST_NORM -> {
                double[][] between = normed(Role.ATTENTION_POST_NORM, layer, added(h, attention(layer, h)));
                yield normed(Role.FEED_FORWARD_POST_NORM, layer, added(between, feedForward(layer, between)));
            }
            case OUTPUT_NORM -> {
                double[][] between = added(h, normed(Role.ATTENTION_POST_NORM, layer, attention(layer, h)));
                yield added(between, normed(Role.FEED_FORWARD_POST_NORM, layer, feedForward(layer, between)));
            }
            case SANDWICH_NORM -> {
                double[][] attended = attention(layer, normed(Role.ATTENTION_NORM, layer, h));
                double[][] between = added(h, normed(Role.ATTENTION_POST_NORM, layer, attended));
                double[][] fed = feedForward(layer, normed(Role.FEED_FORWARD_NORM, layer, between));
                yield added(between, normed(Role.FEED_FORWARD_POST_NORM, layer, fed));
            }
            case PARALLEL -> {
                double[][] x = normed(Role.ATTENTION_NORM, layer, h);
                yield added(added(h, attention(layer, x)), feedForward(layer, x));
            }
            case PARALLEL_TWO_NORMS -> {
                double[][] fed = feedForward(layer, normed(Role.FEED_FORWARD_NORM, layer, h));
                yield added(added(h, attention(layer, normed(Role.ATTENTION_NORM, layer, h))), fed);
            }
        };
    }

    private double[][] added(double[][] stream, double[][] output) {
        double[][] sum = new double[stream.length][];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = sum(stream[i], scaled(output[i], config.residualScale()));
        }
        return sum;
    }

    private double[][] normed(Role role, int layer, double[][] rows) {
        return norm(rows, TensorKey.weight(role, layer));
    }

    private double[][] attention(int layer, double[][] x) {
        Attention attention = config.attention(layer);
        int width = attention.headDimension();
        double[][][] q = heads(layer, Role.QUERY, Role.QUERY_NORM, attention.heads(), x);
        double[][][] k = heads(layer, Role.KEY, Role.KEY_NORM, attention.keyValueHeads(), x);
        double[][] v = clipped(layer, linear(x, TensorKey.weight(Role.VALUE, layer)));
        double[][] context = new double[x.length][attention.queryWidth()];
        for (int head = 0; head < attention.heads(); head++) {
            int shared = head / attention.groupSize();
            for (int query = 0; query < x.length; query++) {
                int first = Math.max(0, query - Math.min(query, attention.slidingWindow() - 1));
                double[] scores = new double[query - first + 1];
                for (int i = 0; i < scores.length; i++) {
                    double score = attention.scale() * dot(q[query][head], k[first + i][shared]);
                    score = attention.softCap().isPresent()
                            ? capped(score, attention.softCap().getAsDouble())
                            : score;
                    scores[i] = score + bias(layer, head, query, first + i);
                }
                double[] shares = softmax(scores);
                for (int i = 0; i < scores.length; i++) {
                    for (int d = 0; d < width; d++) {
                        context[query][head * width + d] += shares[i] * v[first + i][shared * width + d];
                    }
                }
            }
        }
        return linear(context, TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
    }

    private double bias(int layer, int head, int query, int key) {
        if (!(config.positions(layer) instanceof Alibi alibi)) {
            return 0;
        }
        Attention attention = config.attention(layer);
        double slope = alibi.slopes(attention.heads())[head];
        if (!alibi.scaled()) {
            return -slope * (query - key);
        }
        double own = bfloat16(bfloat16(slope) * bfloat16(query));
        return attention.scale() * (bfloat16(bfloat16(slope) * bfloat16(key)) - own);
    }

    private static double bfloat16(double value) {
        double unit = value == 0 ? 1 : Math.scalb(1.0, Math.getExponent(value) - 7);
        return Math.rint(value / unit) * unit;
    }

    private double[][] clipped(int layer, double[][] rows) {
        config.attention(layer).clip().ifPresent(bound -> {
            for (double[] row : rows) {
                Arrays.setAll(row, i -> Math.clamp(row[i], -bound, bound));
            }
        });
        return rows;
    }

    /** Queries or keys, {@code [T][heads][D]}, normalized, clipped and turned. */
    private double[][][] heads(int layer, Role role, Role normRole, int count, double[][] x) {
        double[][] rows = linear(x, TensorKey.weight(role, layer));
        TensorKey norm = TensorKey.weight(normRole, layer);
        Scope scope =
                config.attention(layer).queryKeyNorm().map(QueryKeyNorm::scope).orElse(null);
        if (scope == Scope.ALL_HEADS) {
            rows = norm(rows, norm);
        }
        int width = config.attention(layer).headDimension();
        double[][][] heads = new double[rows.length][count][];
        for (int at = 0; at < rows.length; at++) {
            for (int head = 0; head < count; head++) {
                double[] one = Arrays.copyOfRange(rows[at], head * width, (head + 1) * width);
                if (scope == Scope.HEAD || scope == Scope.EACH_HEAD) {
                    one = norm(one, norm, scope == Scope.EACH_HEAD ? head * width : 0);
                }
                heads[at][head] = turned(layer, clipped(layer, new double[][] {one})[0], at, rows.length);
            }
        }
        return heads;
    }

    private double[] turned(int layer, double[] head, int position, int length) {
        if (!(config.positions(layer) instanceof Rotary rotary)) {
            return head;
        }
        double[] frequencies = rotary.frequencies(length);
        double[] turned = head.clone();
        for (int pair = 0; pair < frequencies.length; pair++) {
            int first = rotary.pairing() == Pairing.HALVES ? pair : 2 * pair;
            int second = rotary.pairing() == Pairing.HALVES ? pair + frequencies.length : 2 * pair + 1;
            double cosine =
                    Math.cos(position * frequencies[pair]) * rotary.scaling().attentionFactor();
            double sine =
                    Math.sin(position * frequencies[pair]) * rotary.scaling().attentionFactor();
            turned[first] = head[first] * cosine - head[second] * sine;
            turned[second] = head[second] * cosine + head[first] * sine;
        }
        return turned;
    }

    private double[][] feedForward(int layer, double[][] x) {
        FeedForward block = config.feedForward(layer);
        if (block.experts().isPresent()) {
            return mixture(layer, x, block.experts().get());
        }
        TensorKey down = TensorKey.weight(Role.DOWN, layer);
        TensorKey gate = TensorKey.weight(Role.GATE, layer);
        return neurons(layer, x, block.gated() ? gate : null, TensorKey.weight(Role.UP, layer), down);
    }

    private double[][] neurons(int layer, double[][] x, TensorKey gate, TensorKey up, TensorKey down) {
        Activation activation = config.feedForward(layer).activation();
        double[][] raised = linear(x, up);
        double[][] opened = gate == null ? raised : linear(x, gate);
        double[][] product = new double[x.length][raised[0].length];
        for (int at = 0; at < x.length; at++) {
            for (int i = 0; i < product[at].length; i++) {
                product[at][i] = active(activation, opened[at][i]) * (gate == null ? 1 : raised[at][i]);
            }
        }
        return linear(product, down);
    }

    private static double active(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> x / 2 * (1 + erf(x / Math.sqrt(2)));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(0, x);
        };
    }

    /** 2/√π · Σ (−1)ⁿ x^(2n + 1) / (n! (2n + 1)), its Taylor series: exact enough for |x| under 5. */
    private static double erf(double x) {
        if (Math.abs(x) > 5) {
            return Math.signum(x);
        }
        double power = x;
        double sum = x;
        for (int n = 1; n < 120; n++) {
            power *= -x * x / n;
            sum += power / (2 * n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * sum;
    }

    private double[][] mixture(int layer, double[][] x, Experts experts) {
        double[][] scores = linear(x, TensorKey.weight(Role.ROUTER, layer));
        double[][] output = new double[x.length][config.hiddenSize()];
        for (int at = 0; at < x.length; at++) {
            double[][] one = {x[at]};
            double[] shares = softmax(scores[at]);
            int[] best = IntStream.range(0, experts.count())
                    .boxed()
                    .sorted(Comparator.comparingDouble(expert -> -shares[expert]))
                    .limit(experts.used())
                    .mapToInt(Integer::intValue)
                    .toArray();
            double sum = experts.normalized()
                    ? IntStream.of(best).mapToDouble(e -> shares[e]).sum()
                    : 1;
            for (int expert : best) {
                TensorKey gate = TensorKey.expert(Role.EXPERT_GATE, layer, expert);
                TensorKey up = TensorKey.expert(Role.EXPERT_UP, layer, expert);
                TensorKey down = TensorKey.expert(Role.EXPERT_DOWN, layer, expert);
                output[at] = sum(output[at], scaled(neurons(layer, one, gate, up, down)[0], shares[expert] / sum));
            }
            if (experts.sharedSize() > 0) {
                TensorKey gate = TensorKey.weight(Role.SHARED_GATE, layer);
                TensorKey up = TensorKey.weight(Role.SHARED_UP, layer);
                double[] all = neurons(layer, one, gate, up, TensorKey.weight(Role.SHARED_DOWN, layer))[0];
                double score = linear(one, TensorKey.weight(Role.SHARED_ROUTER, layer))[0][0];
                output[at] = sum(output[at], scaled(all, 1 / (1 + Math.exp(-score))));
            }
        }
        return output;
    }

    private double[][] norm(double[][] rows, TensorKey key) {
        return Arrays.stream(rows).map(row -> norm(row, key, 0)).toArray(double[][]::new);
    }

    /** @param from where in the norm's weights those for {@code row} start */
    private double[] norm(double[] row, TensorKey key, int from) {
        Norm norm = config.norm(key);
        double mean = norm instanceof Norm.Layer ? Arrays.stream(row).average().orElseThrow() : 0;
        double variance =
                Arrays.stream(row).map(x -> (x - mean) * (x - mean)).average().orElseThrow();
        double[] weight = norm.weight() ? tensor(key) : null;
        double[] bias = norm.bias() ? tensor(key.part(Part.BIAS)) : null;
        double[] normed = new double[row.length];
        for (int i = 0; i < row.length; i++) {
            double value = (row[i] - mean) / Math.sqrt(variance + norm.epsilon());
            value *= weight == null ? 1 : weight[from + i] + (norm.unitOffset() ? 1 : 0);
            normed[i] = value + (bias == null ? 0 : bias[from + i]);
        }
        return normed;
    }

    private double[][] linear(double[][] rows, TensorKey key) {
        double[] weight = tensor(key);
        double[] bias = config.hasBias(key) ? tensor(key.part(Part.BIAS)) : null;
        int columns = config.columns(key);
        double[][] outputs = new double[rows.length][config.rows(key)];
        for (int at = 0; at < rows.length; at++) {
            for (int output = 0; output < outputs[at].length; output++) {
                double sum = bias == null ? 0 : bias[output];
                for (int i = 0; i < columns; i++) {
                    sum += rows[at][i] * weight[output * columns + i];
                }
                outputs[at][output] = sum;
            }
        }
        return outputs;
    }

    private double[] row(TensorKey key, int index) {
        int columns = config.columns(key);
        return Arrays.copyOfRange(tensor(key), index * columns, (index + 1) * columns);
    }

    private double[] tensor(TensorKey key) {
        return tensors.computeIfAbsent(key, missing -> {
            float[] values = checkpoint.tensor(key).toFloats();
            return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
        });
    }

    private static double[] softmax(double[] scores) {
        double largest = Arrays.stream(scores).max().orElseThrow();
        double[] powers =
                Arrays.stream(scores).map(score -> Math.exp(score - largest)).toArray();
        double sum = Arrays.stream(powers).sum();
        return scaled(powers, 1 / sum);
    }

    private static double[] scaled(double[] row, double factor) {
        return Arrays.stream(row).map(value -> value * factor).toArray();
    }

    private static double[] sum(double[] left, double[] right) {
        return IntStream.range(0, left.length)
                .mapToDouble(i -> left[i] + right[i])
                .toArray();
    }

    private static double dot(double[] left, double[] right) {
        return IntStream.range(0, left.length)
                .mapToDouble(i -> left[i] * right[i])
                .sum();
    }
}
