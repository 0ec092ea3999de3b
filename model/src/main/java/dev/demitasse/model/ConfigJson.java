package dev.demitasse.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/** A config.json with accessors that say which key of which file is wrong. */
public final class ConfigJson {
    private static final String WHAT = "config.json";
    private static final long MAXIMUM_BYTES = 16 << 20;

    /** What transformers' {@code attribute_map} of every family that has one maps. */
    private static final Set<String> SIZES = Set.of("hidden_size", "num_hidden_layers", "num_attention_heads");

    private static final Set<String> ROTARY = Set.of("rope_theta", "partial_rotary_factor");

    private final Path path;
    private final JsonNode root;
    private final Map<String, String> names;

    private ConfigJson(Path path, JsonNode root, Map<String, String> names) {
        this.path = path;
        this.root = root;
        this.names = names;
    }

    public ConfigJson(Path path, JsonNode root) {
        this(path, root, Map.of());
    }

    /**
     * The same file, asked by other names. A size that it does not have by the other name is looked for by the name it is
     * asked for, as transformers' {@code attribute_map} makes both names of one value.
     *
     * @param other what the file calls a key, by the name it is asked for
     */
    public ConfigJson renamed(Map<String, String> other) {
        return new ConfigJson(path, root, Map.copyOf(other));
    }

    private JsonNode value(String key) {
        JsonNode renamed = root.path(names.getOrDefault(key, key));
        if (renamed.isMissingNode() && SIZES.contains(key)) {
            return root.path(key);
        }
        return renamed.isMissingNode() ? rotary(key) : renamed;
    }

    /** What transformers 5 writes into {@code rope_parameters}, and those before it outside. */
    private JsonNode rotary(String key) {
        JsonNode parameters = root.path("rope_parameters");
        return key.equals("rope_scaling") && parameters.isObject()
                ? parameters
                : parameters.path(ROTARY.contains(key) ? key : "");
    }

    public static ConfigJson read(Path path) throws IOException {
        return new ConfigJson(path, JsonFile.read(path, MAXIMUM_BYTES, WHAT, Duplicates.LAST_COUNTS));
    }

    /** Parses {@code text}, which stands in {@code path}. */
    public static ConfigJson parse(Path path, String text) {
        return new ConfigJson(path, JsonFile.parse(path, text, WHAT, Duplicates.LAST_COUNTS));
    }

    public Path path() {
        return path;
    }

    public boolean has(String key) {
        JsonNode value = value(key);
        return !value.isMissingNode() && !value.isNull();
    }

    /** The value, if it is there and not null. */
    public JsonNode node(String key) {
        return value(key);
    }

    /** A whole number above 0. */
    public int size(String key) {
        JsonNode value = value(key);
        if (value.isMissingNode() || value.isNull()) {
            throw malformed(key, "is missing");
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 1) {
            throw malformed(key, "must be a whole number from 1 to 2147483647, is " + value);
        }
        return value.intValue();
    }

    public int size(String key, int otherwise) {
        return has(key) ? size(key) : otherwise;
    }

    public double number(String key, double otherwise) {
        JsonNode value = value(key);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        if (!value.isNumber()) {
            throw malformed(key, "must be a number, is " + value);
        }
        double number = value.doubleValue();
        if (!Double.isFinite(number)) {
            throw malformed(key, "must be a finite number, is " + value);
        }
        return number;
    }

    /** A whole number, 0 or above. */
    public int count(String key, int otherwise) {
        return has(key) && value(key).isIntegralNumber() && value(key).asLong() == 0 ? 0 : size(key, otherwise);
    }

    /** The number, if it is there and not null. */
    public OptionalDouble optionalNumber(String key) {
        return has(key) ? OptionalDouble.of(number(key, 0)) : OptionalDouble.empty();
    }

    /** The number; {@code otherwise} if nothing is said, nothing if null is. */
    public OptionalDouble optionalNumber(String key, double otherwise) {
        return value(key).isMissingNode() ? OptionalDouble.of(otherwise) : optionalNumber(key);
    }

    /** An object inside this one, or an empty one where there is none. */
    public ConfigJson objectIfAny(String key) {
        return has(key) ? object(key) : new ConfigJson(path, JsonNodeFactory.instance.objectNode());
    }

    /** A list of whole numbers. */
    public List<Integer> integers(String key) {
        List<Integer> integers = new ArrayList<>();
        for (JsonNode element : value(key)) {
            if (!element.isInt()) {
                throw malformed(key, "must be a list of whole numbers, holds " + element);
            }
            integers.add(element.intValue());
        }
        return integers;
    }

    /** Refuses a flag that Demitasse would have to honour to compute the same. */
    public void refuse(String key, boolean otherwise) {
        if (flag(key, otherwise)) {
            throw malformed(key, "is true, which Demitasse does not know");
        }
    }

    /** A list of numbers. */
    public List<Double> numbers(String key) {
        List<Double> numbers = new ArrayList<>();
        for (JsonNode element : value(key)) {
            if (!element.isNumber()) {
                throw malformed(key, "must be a list of numbers, holds " + element);
            }
            numbers.add(element.doubleValue());
        }
        return numbers;
    }

    public boolean flag(String key, boolean otherwise) {
        JsonNode value = value(key);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        if (!value.isBoolean()) {
            throw malformed(key, "must be true or false, is " + value);
        }
        return value.booleanValue();
    }

    public String text(String key, String otherwise) {
        JsonNode value = value(key);
        return value.isTextual() ? value.textValue() : otherwise;
    }

    /** A list of strings, or nothing. */
    public List<String> texts(String key) {
        List<String> texts = new ArrayList<>();
        value(key).forEach(element -> texts.add(element.asText()));
        return texts;
    }

    /** {@code bos_token_id}, {@code eos_token_id} (one or a list), {@code pad_token_id}. */
    public SpecialTokens specialTokens() {
        List<Integer> eos = new ArrayList<>();
        JsonNode ends = value("eos_token_id");
        if (ends.isArray()) {
            ends.forEach(id -> tokenId(id).ifPresent(eos::add));
        } else {
            tokenId(ends).ifPresent(eos::add);
        }
        return new SpecialTokens(tokenId(node("bos_token_id")), eos, tokenId(node("pad_token_id")));
    }

    private static OptionalInt tokenId(JsonNode value) {
        return value.isInt() && value.intValue() >= 0 ? OptionalInt.of(value.intValue()) : OptionalInt.empty();
    }

    /** An object inside this one, as {@code rope_scaling}. */
    public ConfigJson object(String key) {
        JsonNode value = value(key);
        if (!value.isObject()) {
            throw malformed(key, "must be an object, is " + value);
        }
        return new ConfigJson(path, value);
    }

    /** An error about {@code key}. */
    public MalformedModelException malformed(String key, String problem) {
        String shown = problem.length() > 200 ? problem.substring(0, 200) + "…" : problem;
        return new MalformedModelException(
                path, "'" + names.getOrDefault(key, key) + "' " + shown, "check that the file belongs to the model");
    }
}
