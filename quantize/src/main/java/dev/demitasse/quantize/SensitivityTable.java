package dev.demitasse.quantize;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.SensitivityReport.Cost;
import dev.demitasse.quantize.SensitivityReport.Row;
import dev.demitasse.quantize.TensorLosses.Loss;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Collects what rounding costs, tensor by tensor and group by group. */
final class SensitivityTable {
    private final Checkpoint source;
    private final ModelConfig config;
    private final List<TensorFormat> formats;
    private final TensorGroup everything;
    private final List<TensorGroup> groups;
    private final Map<TensorKey, Map<TensorFormat, Loss>> losses = new HashMap<>();
    private final Map<TensorGroup, Map<TensorFormat, Divergence>> divergences = new HashMap<>();

    SensitivityTable(Checkpoint source, SensitivityOptions options) {
        this.source = source;
        this.config = source.config();
        this.formats = options.formats();
        this.everything = TensorGroup.all(config);
        this.groups = new ArrayList<>(TensorGroup.of(config, options.grouping()));
        groups.add(everything);
    }

    /** Those asked for, then {@link #everything}. */
    List<TensorGroup> groups() {
        return groups;
    }

    TensorGroup everything() {
        return everything;
    }

    void put(TensorKey key, TensorFormat format, Loss loss) {
        losses.computeIfAbsent(key, missing -> new HashMap<>()).put(format, loss);
    }

    void put(TensorGroup group, TensorFormat format, Divergence divergence) {
        divergences.computeIfAbsent(group, missing -> new HashMap<>()).put(format, divergence);
    }

    SensitivityReport report(long tokens) {
        return new SensitivityReport(
                groups.subList(0, groups.size() - 1).stream().map(this::row).toList(), row(everything), tokens);
    }

    private Row row(TensorGroup group) {
        Map<TensorFormat, Cost> costs = new LinkedHashMap<>();
        for (TensorFormat format : formats) {
            if (group.keys().stream().anyMatch(key -> format.fits(config.columns(key)))) {
                costs.put(format, cost(group, format));
            }
        }
        return new Row(group.name(), group.role(), group.layer(), group.keys().size(), group.parameters(config), costs);
    }

    private Cost cost(TensorGroup group, TensorFormat format) {
        long bytes = 0;
        int left = 0;
        Loss sum = Loss.NONE;
        for (TensorKey key : group.keys()) {
            boolean fits = format.fits(config.columns(key));
            left += fits ? 0 : 1;
            TensorFormat stored = fits ? format : source.format(key);
            long rows = config.rows(key);
            bytes += rows * stored.bytes(config.columns(key)) + (stored.rowScaled() ? rows * Float.BYTES : 0);
            @Nullable Map<TensorFormat, Loss> own = losses.get(key);
            sum = sum.plus(own == null ? Loss.NONE : own.getOrDefault(format, Loss.NONE));
        }
        return new Cost(
                bytes,
                left,
                sum.weight() == 0 ? 0 : sum.weightLost() / sum.weight(),
                sum.output() == 0 ? Optional.empty() : Optional.of(sum.outputLost() / sum.output()),
                Optional.ofNullable(divergences.getOrDefault(group, Map.of()).get(format)));
    }
}
