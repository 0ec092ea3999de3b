package dev.demitasse.model;

import dev.demitasse.model.gguf.GgufMetadata;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;

/** Every family that Demitasse knows. */
public final class Families {
    private static final Pattern FRACTION = Pattern.compile("-?\\d+\\.\\d+(E-?\\d+)?");
    private static final List<Family> ALL = List.of(
            new Bert(),
            new Bloom(),
            new Cohere(),
            new DistilBert(),
            new Falcon(),
            new Gemma(),
            new Gemma2(),
            new Gemma3(),
            new Gpt2(),
            new GptBigCode(),
            new GptJ(),
            new GptNeo(),
            new GptNeoX(),
            new Granite(),
            new InternLm2(),
            new Llama(),
            new MiniCpm(),
            new Mistral(),
            new Mixtral(),
            new MobileLlm(),
            new Mpt(),
            new Olmo(),
            new Olmo2(),
            new Olmoe(),
            new OpenElm(),
            new Opt(),
            new Phi(),
            new Phi3(),
            new Qwen2(),
            new Qwen2Moe(),
            new Qwen3(),
            new Qwen3Moe(),
            new Roberta(),
            new StableLm(),
            new Starcoder2());

    private Families() {}

    public static List<Family> all() {
        return ALL;
    }

    /** The family whose {@link Family#id} is {@code id}. */
    public static Family named(String id) {
        return ALL.stream()
                .filter(family -> family.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no family is called " + id));
    }

    /** Reads a config.json by the family that its {@code architectures} names. */
    public static ModelConfig read(ConfigJson json) {
        List<String> architectures = json.texts("architectures");
        Family family = ALL.stream()
                .filter(candidate -> architectures.stream().anyMatch(candidate.architectures()::contains))
                .findFirst()
                .orElseThrow(() -> new MalformedModelException(
                        json.path(),
                        "'architectures' is %s, which Demitasse does not know".formatted(shortened(architectures)),
                        "docs/families.md lists those that it knows"));
        try {
            return family.read(json);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new MalformedModelException(
                    json.path(), "impossible sizes: " + message(e), "check that the file belongs to the model", e);
        }
    }

    /**
     * Refuses a model that its family's config.json cannot describe, such as one of whose heads some were cut where the
     * family has no key for their width.
     *
     * @param where what is to be written
     * @throws InvalidRequestException if reading what is written would give another model
     */
    public static void requireWritable(Path where, ModelConfig config) {
        ModelConfig wanted = config.huggingFaceForm();
        ModelConfig read;
        try {
            read = read(new ConfigJson(where, config.family().write(wanted)));
        } catch (MalformedModelException e) {
            throw unwritable(where, config, message(e));
        }
        Map<String, Function<ModelConfig, Object>> parts = new LinkedHashMap<>();
        parts.put("family", each -> each.family().id());
        parts.put("vocabulary", ModelConfig::vocabularySize);
        parts.put("hidden size", ModelConfig::hiddenSize);
        parts.put("embedding", ModelConfig::embedding);
        parts.put("number of layers", ModelConfig::layers);
        parts.put("residual", ModelConfig::residual);
        parts.put("residual scale", ModelConfig::residualScale);
        parts.put("norm", ModelConfig::norm);
        parts.put("head", ModelConfig::head);
        parts.put("causal", ModelConfig::causal);
        for (int layer = 0; layer < Math.min(wanted.layers(), read.layers()); layer++) {
            int at = layer;
            parts.put("layer " + layer, each -> each.blocks().get(at));
        }
        parts.forEach((name, part) -> {
            if (!rounded(part.apply(read)).equals(rounded(part.apply(wanted)))) {
                throw unwritable(
                        where,
                        config,
                        "%s %s would be read as %s".formatted(name, part.apply(wanted), part.apply(read)));
            }
        });
    }

    /** What a part consists of, fractions in nine digits: going through a file's units may change the last ones. */
    private static String rounded(Object part) {
        return FRACTION.matcher(part.toString())
                .replaceAll(number -> "%.9g".formatted(Double.parseDouble(number.group())));
    }

    private static InvalidRequestException unwritable(Path where, ModelConfig config, String why) {
        return new InvalidRequestException(
                where,
                "the config.json of the family %s cannot describe this model: %s"
                        .formatted(config.family().id(), why),
                "leave the shape as the family has it");
    }

    /** Reads GGUF metadata by the family that {@code general.architecture} names. */
    public static ModelConfig read(GgufMetadata metadata) {
        String architecture = metadata.text("general.architecture").orElse("");
        Family family = ALL.stream()
                .filter(candidate -> candidate.ggufArchitecture().stream().anyMatch(architecture::equals))
                .findFirst()
                .orElseThrow(() -> metadata.malformed(
                        "general.architecture",
                        "is '%s'; Demitasse knows %s"
                                .formatted(
                                        architecture,
                                        ALL.stream()
                                                .flatMap(known -> known.ggufArchitecture().stream())
                                                .distinct()
                                                .toList())));
        try {
            return family.readGguf(metadata);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new MalformedModelException(
                    metadata.path(), "impossible sizes: " + message(e), "the file was written wrongly", e);
        }
    }

    /** How many neurons a layer without experts has, in a model some of whose layers have some. */
    public static int feedForwardSize(GgufMetadata metadata, ModelConfig config, int layer) {
        return new GgufKeys(config.family(), metadata).size("feed_forward_length", layer, 0);
    }

    /** A virtual machine that has seen many an overflow stops telling it apart. */
    private static String message(RuntimeException e) {
        return e.getMessage() == null ? "an overflow" : e.getMessage();
    }

    /** LongRoPE's factors, which GGUF keeps in tensors, as the scaling that the metadata of {@code config} completes. */
    public static RopeScaling longRope(
            GgufMetadata metadata, ModelConfig config, List<Double> shortFactors, List<Double> longFactors) {
        return GgufKeys.longRope(metadata, config, shortFactors, longFactors);
    }

    private static String shortened(List<String> architectures) {
        String text = architectures.toString();
        return text.length() > 200 ? text.substring(0, 200) + "…" : text;
    }
}
