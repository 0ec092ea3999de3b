package dev.demitasse.quantize;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.SensitivityOptions.Grouping;
import dev.demitasse.quantize.mix.TensorPlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Weights that are rounded together. */
record TensorGroup(String name, List<TensorKey> keys) {
    TensorGroup {
        keys = List.copyOf(keys);
    }

    /** All weights that quantization rounds, in the model's order. */
    static TensorGroup all(ModelConfig config) {
        return new TensorGroup(
                "everything",
                config.tensors().stream().filter(TensorPlan::quantizes).toList());
    }

    static List<TensorGroup> of(ModelConfig config, Grouping grouping) {
        Map<String, List<TensorKey>> groups = new LinkedHashMap<>();
        for (TensorKey key : all(config).keys) {
            groups.computeIfAbsent(name(config, grouping, key), missing -> new ArrayList<>())
                    .add(key);
        }
        List<TensorGroup> all = new ArrayList<>();
        groups.forEach((name, keys) -> all.add(new TensorGroup(name, keys)));
        return all;
    }

    private static String name(ModelConfig config, Grouping grouping, TensorKey key) {
        String role = key.role().name().toLowerCase(Locale.ROOT).replace('_', ' ');
        if (grouping == Grouping.TENSOR) {
            return config.name(key);
        }
        if (!key.role().perLayer() || grouping == Grouping.ROLE) {
            return role;
        }
        String layer = "layer " + key.layer();
        return grouping == Grouping.LAYER ? layer : layer + " " + role;
    }

    Optional<Role> role() {
        Role first = keys.getFirst().role();
        return keys.stream().allMatch(key -> key.role() == first) ? Optional.of(first) : Optional.empty();
    }

    OptionalInt layer() {
        int first = keys.getFirst().layer();
        return first >= 0 && keys.stream().allMatch(key -> key.layer() == first)
                ? OptionalInt.of(first)
                : OptionalInt.empty();
    }

    /** The first layer that computes otherwise once they are rounded; −1 for the embedding, all layers' number for the head. */
    int begins(ModelConfig config) {
        return keys.stream().mapToInt(key -> begins(config, key)).min().orElseThrow();
    }

    private static int begins(ModelConfig config, TensorKey key) {
        if (key.role().perLayer()) {
            return key.layer();
        }
        return key.role() == Role.HEAD ? config.layers() : -1;
    }

    long parameters(ModelConfig config) {
        return keys.stream()
                .mapToLong(key -> (long) config.rows(key) * config.columns(key))
                .sum();
    }
}
