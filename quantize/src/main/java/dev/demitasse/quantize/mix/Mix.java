package dev.demitasse.quantize.mix;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgmlType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What is asked of formats: one for the projections or a preset, and exceptions from it.
 *
 * @param id as a recipe names it
 * @param base what most projections get
 * @param preset by whose rules projections are told apart, if they are
 * @param embedding format of the embedding, if it is not left to the rules
 * @param head format of a head that is not tied, if it is not left to the rules
 * @param exceptions formats by patterns of tensors' names, in which {@code *} stands for anything; the first that fits counts
 */
public record Mix(
        String id,
        TensorFormat base,
        Optional<Preset> preset,
        Optional<TensorFormat> embedding,
        Optional<TensorFormat> head,
        Map<String, TensorFormat> exceptions) {

    public Mix {
        exceptions = Collections.unmodifiableMap(new LinkedHashMap<>(exceptions));
    }

    /**
     * All projections in one format. Embedding and head: of GGUF's formats as llama-quantize chooses them, INT8 as the
     * projections, of others float16, as the runtimes that read those have it.
     */
    public static Mix of(TensorFormat format) {
        return new Mix(format.weightName(), format, Optional.empty(), Optional.empty(), Optional.empty(), Map.of());
    }

    /** As llama-quantize mixes types. */
    public static Mix of(Preset preset) {
        return new Mix(preset.id(), preset.base(), Optional.of(preset), Optional.empty(), Optional.empty(), Map.of());
    }

    /** The mix that a recipe calls {@code id}: that of a preset, or else of a format. */
    public static Optional<Mix> named(String id) {
        return Preset.of(id)
                .map(Mix::of)
                .or(() -> formats()
                        .filter(each -> each.weightName().equals(id))
                        .findFirst()
                        .map(Mix::of));
    }

    /** What {@link #named} knows. */
    public static Map<String, Mix> all() {
        Map<String, Mix> all = new TreeMap<>();
        formats().forEach(format -> all.put(format.weightName(), of(format)));
        for (String id : List.copyOf(all.keySet())) {
            Preset.of(id).ifPresent(preset -> all.put(id, of(preset)));
        }
        for (Preset preset : Preset.values()) {
            all.put(preset.id(), of(preset));
        }
        return all;
    }

    private static Stream<TensorFormat> formats() {
        return TensorFormat.all().stream().filter(format -> format instanceof BlockFormat || format.rowScaled());
    }

    /** Everything in the base format, embedding and head too. */
    public Mix pure() {
        return new Mix(id, base, Optional.empty(), Optional.of(base), Optional.of(base), exceptions);
    }

    public Mix withEmbedding(TensorFormat chosen) {
        return new Mix(id, base, preset, Optional.of(chosen), head, exceptions);
    }

    public Mix withHead(TensorFormat chosen) {
        return new Mix(id, base, preset, embedding, Optional.of(chosen), exceptions);
    }

    public Mix withExceptions(Map<String, TensorFormat> chosen) {
        return new Mix(id, base, preset, embedding, head, chosen);
    }

    /**
     * What that makes of a model.
     *
     * @param calibrated whether weights are chosen by what inputs matter: llama-quantize's rules differ a little where it has an
     *     importance matrix
     * @throws InvalidRequestException if a pattern fits no tensor that is quantized
     */
    public TensorPlan plan(ModelConfig config, boolean calibrated) {
        Map<Pattern, TensorFormat> patterns = patterns(config);
        Function<TensorKey, TensorFormat> rule = rule(config, calibrated);
        return TensorPlan.of(
                config,
                key -> patterns.entrySet().stream()
                        .filter(entry -> fits(entry.getKey(), config, key))
                        .findFirst()
                        .map(Map.Entry::getValue)
                        .orElseGet(() -> rule.apply(key)));
    }

    private Function<TensorKey, TensorFormat> rule(ModelConfig config, boolean calibrated) {
        Optional<PresetRules> rules = preset.map(chosen -> new PresetRules(config, chosen, calibrated));
        return key -> {
            Optional<TensorFormat> chosen =
                    key.role() == Role.EMBEDDING ? embedding : key.role() == Role.HEAD ? head : Optional.empty();
            return chosen.orElseGet(
                    () -> rules.<TensorFormat>map(each -> each.of(key)).orElseGet(() -> withoutPreset(config, key)));
        };
    }

    private TensorFormat withoutPreset(ModelConfig config, TensorKey key) {
        boolean output = key.role() == Role.HEAD || key.role() == Role.EMBEDDING && config.tiedHead();
        if (!output && key.role() != Role.EMBEDDING || base == ScalarFormat.I8) {
            return base;
        }
        if (base instanceof BlockFormat block && GgmlType.of(base).isPresent()) {
            return output ? PresetRules.output(config, block) : base;
        }
        return ScalarFormat.F16;
    }

    private Map<Pattern, TensorFormat> patterns(ModelConfig config) {
        Map<Pattern, TensorFormat> patterns = new LinkedHashMap<>();
        exceptions.forEach((written, format) -> {
            Pattern pattern = Pattern.compile(
                    Stream.of(written.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")));
            List<TensorKey> quantized =
                    config.tensors().stream().filter(TensorPlan::quantizes).toList();
            if (quantized.stream().noneMatch(key -> fits(pattern, config, key))) {
                throw new InvalidRequestException(
                        "quantize.tensors",
                        "'%s' fits no matrix of the model".formatted(written),
                        "names are like " + neutral(quantized.getLast()) + " and " + config.name(quantized.getLast()));
            }
            patterns.put(pattern, format);
        });
        return patterns;
    }

    /** Whether it fits one of the names of a tensor: our own, and those of files with and without {@code .weight}. */
    private static boolean fits(Pattern pattern, ModelConfig config, TensorKey key) {
        Stream<String> files = Stream.of(config.name(key));
        if (config.family().ggufArchitecture().isPresent()) {
            files = Stream.concat(
                    files, Stream.of(config.names().gguf(key).getFirst().name()));
        }
        return Stream.concat(
                        Stream.of(neutral(key)),
                        files.flatMap(name -> Stream.of(name, name.replaceFirst("\\.weight$", ""))))
                .anyMatch(name -> pattern.matcher(name).matches());
    }

    /** {@code layers.3.down}, {@code layers.3.expert_down.7}, {@code embedding}. */
    private static String neutral(TensorKey key) {
        String role = key.role().name().toLowerCase(Locale.ROOT);
        String layer = key.role().perLayer() ? "layers.%d.%s".formatted(key.layer(), role) : role;
        return key.role().perExpert() ? layer + "." + key.expert() : layer;
    }
}
