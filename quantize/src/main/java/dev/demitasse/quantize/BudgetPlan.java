package dev.demitasse.quantize;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.mix.Mix;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What went where under a limit of bytes, and why.
 *
 * @param formats of every matrix that is rounded
 * @param shares one for each tensor, or for what a file keeps together
 * @param limit of bytes that was kept to
 */
public record BudgetPlan(Map<TensorKey, TensorFormat> formats, List<Share> shares, long limit) {
    public BudgetPlan {
        formats = Collections.unmodifiableMap(new LinkedHashMap<>(formats));
        shares = List.copyOf(shares);
    }

    /**
     * What a tensor got.
     *
     * @param name for people
     * @param format by id
     * @param parameters numbers in it
     * @param bytes it takes
     * @param loss KL divergence that it is expected to cost
     * @param losses that, for every format it could have had, by id
     */
    public record Share(
            String name, String format, long parameters, long bytes, double loss, Map<String, Double> losses) {
        public Share {
            losses = Collections.unmodifiableMap(new LinkedHashMap<>(losses));
        }
    }

    /** The formats as a mix called {@code id}. */
    public Mix mix(ModelConfig config, String id) {
        Map<String, TensorFormat> byName = new LinkedHashMap<>();
        formats.forEach((key, format) -> byName.put(config.name(key), format));
        return new Mix(id, new Q4_K(), Optional.empty(), Optional.empty(), Optional.empty(), byName);
    }

    /** Of all matrices. */
    public long bytes() {
        return shares.stream().mapToLong(Share::bytes).sum();
    }

    /** KL divergence that is expected of the whole. */
    public double loss() {
        return shares.stream().mapToDouble(Share::loss).sum();
    }
}
