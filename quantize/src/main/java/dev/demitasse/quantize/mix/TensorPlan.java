package dev.demitasse.quantize.mix;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Which format every tensor of a model gets. Norms, biases and routers stay float32, a few thousand numbers that everything
 * passes through. A matrix whose rows are not whole blocks of what was wanted gets another format, and is listed.
 */
public final class TensorPlan {
    private final ModelConfig config;
    private final Map<TensorKey, TensorFormat> wanted = new LinkedHashMap<>();

    /** How much of the columns of projections is kept beside them, 0 for none. */
    private final double outlierShare;

    private TensorPlan(ModelConfig config, Function<TensorKey, TensorFormat> wanted, double outlierShare) {
        this.config = config;
        this.outlierShare = outlierShare;
        for (TensorKey key : config.tensors()) {
            if (quantizes(key)) {
                this.wanted.put(key, wanted.apply(key));
            }
        }
    }

    /** @param wanted the format of each weight that is quantized */
    public static TensorPlan of(ModelConfig config, Function<TensorKey, TensorFormat> wanted) {
        return new TensorPlan(config, wanted, 0);
    }

    /** The same, with a share of each projection's columns kept beside it. */
    public TensorPlan withOutliers(double share) {
        return new TensorPlan(
                config, key -> Optional.ofNullable(wanted.get(key)).orElseThrow(), share);
    }

    /** How many columns of {@code key} are kept beside it as {@link Outliers}. */
    public int outliers(TensorKey key) {
        boolean keeps =
                outlierShare > 0 && key.part() == Part.WEIGHT && key.role().projection();
        return keeps ? Outliers.count(outlierShare, config.columns(key)) : 0;
    }

    /** Whether {@code key} is a matrix that is rounded, and not a norm, a bias or a small table. */
    public static boolean quantizes(TensorKey key) {
        return key.part() == Part.WEIGHT && key.role().quantized();
    }

    /** The format of {@code key}, a weight or bias. */
    public TensorFormat of(TensorKey key) {
        return Optional.ofNullable(wanted.get(key))
                .map(format -> Fallback.of(format, config.columns(key)))
                .orElse(ScalarFormat.F32);
    }

    /** Bytes of all tensors, rows' scales among them. */
    public long bytes() {
        return config.tensors().stream().mapToLong(this::bytes).reduce(0, Math::addExact);
    }

    private long bytes(TensorKey key) {
        TensorFormat format = of(key);
        long scales = format.rowScaled() ? ScalarFormat.F32.bytes(config.rows(key)) : 0;
        int kept = outliers(key);
        long beside = kept == 0 ? scales : Math.addExact(scales, Outliers.bytes(kept, config.rows(key)));
        return Math.addExact(format.bytes(Tensor.elements(config.shape(key))), beside);
    }

    /** Bits that a weight takes on average over all matrices that are rounded. */
    public double bitsPerWeight() {
        long bytes = wanted.keySet().stream().mapToLong(this::bytes).sum();
        long weights = wanted.keySet().stream()
                .mapToLong(key -> Tensor.elements(config.shape(key)))
                .sum();
        return 8.0 * bytes / weights;
    }

    /** Parameters in each format, by its name, of the matrices that are rounded. */
    public Map<String, Long> weightsByFormat() {
        Map<String, Long> weights = new LinkedHashMap<>();
        wanted.keySet()
                .forEach(key -> weights.merge(of(key).weightName(), Tensor.elements(config.shape(key)), Long::sum));
        return weights;
    }

    /** One sentence for each kind of tensor that could not have the format it should have. */
    public List<String> fallbacks() {
        Map<String, Integer> sentences = new LinkedHashMap<>();
        wanted.forEach((key, format) -> {
            TensorFormat given = of(key);
            if (!given.equals(format)) {
                String sentence = "%s has %,d columns, which blocks of %d do not fill: %s instead of %s"
                        .formatted(
                                config.name(key).replaceAll("\\.\\d+\\.", ".*."),
                                config.columns(key),
                                format.blockSize(),
                                given.weightName(),
                                format.weightName());
                sentences.merge(sentence, 1, Integer::sum);
            }
        });
        List<String> told = new ArrayList<>();
        sentences.forEach((sentence, count) -> told.add(count == 1 ? sentence : sentence + " (" + count + " tensors)"));
        return told;
    }
}
