package dev.demitasse.model.reference;

import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TokenInput;
import java.util.Arrays;

/** Self-attention of one layer of {@link PlainModel}, score by score. */
record PlainAttention(PlainModel model, int layer) {

    /** x {@code [T][H]} to what attention adds to the residual stream. */
    double[][] apply(double[][] x, TokenInput input) {
        ModelConfig config = model.config();
        Attention form = config.attention(layer);
        int d = form.headDimension();
        int tokens = x.length;
        double[][] q = projected(x, Role.QUERY, Role.QUERY_NORM);
        double[][] k = projected(x, Role.KEY, Role.KEY_NORM);
        double[][] v = projected(x, Role.VALUE, Role.VALUE);
        double[][] mixed = new double[tokens][form.queryWidth()];
        for (int head = 0; head < form.heads(); head++) {
            int group = head / form.groupSize();
            for (int t = 0; t < tokens; t++) {
                double[] p = new double[tokens];
                double total = 0;
                for (int u = 0; u < tokens; u++) {
                    if (!sees(t, u, form, input)) {
                        continue;
                    }
                    double score = 0;
                    for (int i = 0; i < d; i++) {
                        score += q[t][head * d + i] * k[u][group * d + i] * form.scale();
                    }
                    if (form.softCap().isPresent()) {
                        score = form.softCap().getAsDouble()
                                * Math.tanh(score / form.softCap().getAsDouble());
                    }
                    if (config.positions(layer) instanceof Positions.Alibi alibi) {
                        double slope = alibi.slopes(form.heads())[head];
                        score -= alibi.scaled() ? form.scale() * falconsDistance(slope, t, u) : slope * Math.abs(t - u);
                    }
                    total += p[u] = Math.exp(score);
                }
                for (int u = 0; u < tokens; u++) {
                    for (int i = 0; i < d; i++) {
                        mixed[t][head * d + i] += p[u] / total * v[u][group * d + i];
                    }
                }
            }
        }
        return Arrays.stream(mixed)
                .map(row -> model.linear(row, TensorKey.weight(Role.ATTENTION_OUTPUT, layer)))
                .toArray(double[][]::new);
    }

    private boolean sees(int t, int u, Attention form, TokenInput input) {
        return (!model.config().causal() || u <= t)
                && Math.abs(t - u) < form.slidingWindow()
                && input.attended().map(mask -> mask[u]).orElse(true);
    }

    private double[][] projected(double[][] x, Role role, Role normRole) {
        Attention form = model.config().attention(layer);
        int d = form.headDimension();
        double[][] all = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            double[] y = model.linear(x[t], TensorKey.weight(role, layer));
            if (normRole.norm() && form.queryKeyNorm().isPresent()) {
                Norm norm = form.queryKeyNorm().get().norm();
                Scope scope = form.queryKeyNorm().get().scope();
                int span = scope == Scope.ALL_HEADS ? y.length : d;
                for (int from = 0; from < y.length; from += span) {
                    int weightsFrom = scope == Scope.EACH_HEAD ? from : 0;
                    double[] part = PlainModel.normalized(Arrays.copyOfRange(y, from, from + span), norm);
                    part = model.weighted(part, TensorKey.weight(normRole, layer), weightsFrom);
                    System.arraycopy(part, 0, y, from, span);
                }
            }
            form.clip().ifPresent(bound -> Arrays.setAll(y, i -> Math.clamp(y[i], -bound, bound)));
            if (role != Role.VALUE && model.config().positions(layer) instanceof Positions.Rotary rotary) {
                for (int from = 0; from < y.length; from += d) {
                    rotate(y, from, t, rotary, x.length);
                }
            }
            all[t] = y;
        }
        return all;
    }

    private static void rotate(double[] y, int from, int token, Positions.Rotary rotary, int length) {
        double[] frequencies = rotary.frequencies(length);
        int half = frequencies.length;
        double factor = rotary.scaling().attentionFactor();
        for (int i = 0; i < half; i++) {
            double cosine = Math.cos(token * frequencies[i]) * factor;
            double sine = Math.sin(token * frequencies[i]) * factor;
            double first = y[from + i];
            double second = y[from + half + i];
            y[from + i] = first * cosine - second * sine;
            y[from + half + i] = second * cosine + first * sine;
        }
    }

    /** Falcon's build_alibi_tensor in transformers, less the query's own: all of it in bfloat16. */
    private static double falconsDistance(double slope, int query, int key) {
        return bfloat16(bfloat16(slope) * bfloat16(query)) - bfloat16(bfloat16(slope) * bfloat16(key));
    }

    /** Eight digits of the fraction, in binary. */
    private static double bfloat16(double value) {
        double unit = value == 0 ? 1 : Math.scalb(1.0, Math.getExponent(value) - 7);
        return Math.rint(value / unit) * unit;
    }
}
