package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * How a byte-level BPE tokenizer cuts text before it merges. tokenizer.json spells the cuts out, GGUF names them
 * ({@code tokenizer.ggml.pre}; llama.cpp, src/llama-vocab.cpp).
 */
public enum PreTokenizer {
    GPT2(List.of("gpt-2", "phi-2", "roberta-bpe"), false, true, List.of()),
    LLAMA3(
            List.of("llama-bpe", "llama3", "llama-v3"),
            false,
            false,
            List.of("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")),
    QWEN2(
            List.of("qwen2", "deepseek-r1-qwen"),
            false,
            false,
            List.of("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")),
    SMOLLM(List.of("smollm", "starcoder", "refact", "command-r", "codeshell"), true, true, List.of()),
    /** What llama.cpp does with a file that names nothing. */
    DEFAULT(
            List.of("default"),
            false,
            false,
            List.of(
                    "[\\p{P}\\$\\+<=>\\^~\\|]+",
                    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
                    "\\p{N}+",
                    "[0-9][0-9][0-9]"));

    private final List<String> ggufNames;
    private final boolean singleDigits;
    private final boolean gpt2Words;
    private final List<String> expressions;

    PreTokenizer(List<String> ggufNames, boolean singleDigits, boolean gpt2Words, List<String> expressions) {
        this.ggufNames = ggufNames;
        this.singleDigits = singleDigits;
        this.gpt2Words = gpt2Words;
        this.expressions = expressions;
    }

    /** The one that GGUF calls {@code name}. */
    public static Optional<PreTokenizer> ofGguf(String name) {
        return Arrays.stream(values())
                .filter(candidate -> candidate.ggufNames.contains(name))
                .findFirst();
    }

    /** The one that tokenizer.json's {@code pre_tokenizer} describes. */
    public static Optional<PreTokenizer> ofJson(JsonNode node) {
        List<String> steps = steps(node);
        return Arrays.stream(values())
                .filter(candidate -> steps(candidate.json()).equals(steps))
                .findFirst();
    }

    /** What a description does, leaving out what it can say in several ways. */
    private static List<String> steps(JsonNode node) {
        List<String> steps = new ArrayList<>();
        switch (node.path("type").asText()) {
            case "Sequence" -> node.path("pretokenizers").forEach(step -> steps.addAll(steps(step)));
            case "Split" ->
                steps.add("Split %s %s %s"
                        .formatted(
                                node.path("pattern"),
                                node.path("behavior").asText(),
                                node.path("invert").asBoolean()));
            case "Digits" ->
                steps.add("Digits " + node.path("individual_digits").asBoolean());
            case "ByteLevel" ->
                steps.add("ByteLevel %s %s"
                        .formatted(
                                node.path("add_prefix_space").asBoolean(true),
                                node.path("use_regex").asBoolean(true)));
            default -> steps.add(node.toString());
        }
        return steps;
    }

    /** Its name in GGUF. */
    public String ggufName() {
        return ggufNames.getFirst();
    }

    /** Whether a word that is a token as a whole is taken as that, whatever the merges say. */
    public boolean wholeWords() {
        return this == LLAMA3;
    }

    /** Whether llama.cpp puts bos first where the file does not say. */
    public boolean addsBegin() {
        return this == LLAMA3;
    }

    /** Its {@code pre_tokenizer} in tokenizer.json. */
    public ObjectNode json() {
        ObjectNode sequence = JsonNodeFactory.instance.objectNode().put("type", "Sequence");
        ArrayNode steps = sequence.putArray("pretokenizers");
        for (String expression : expressions) {
            ObjectNode split = steps.addObject().put("type", "Split");
            split.putObject("pattern").put("Regex", expression);
            split.put("behavior", "Isolated").put("invert", false);
        }
        if (singleDigits) {
            steps.addObject().put("type", "Digits").put("individual_digits", true);
        }
        steps.addObject()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", gpt2Words);
        return sequence;
    }
}
