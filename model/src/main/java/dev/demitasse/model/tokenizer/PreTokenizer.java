package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.tokenizer.PreTokenizer.Step.ByteLevel;
import dev.demitasse.model.tokenizer.PreTokenizer.Step.Digits;
import dev.demitasse.model.tokenizer.PreTokenizer.Step.Other;
import dev.demitasse.model.tokenizer.PreTokenizer.Step.Punctuation;
import dev.demitasse.model.tokenizer.PreTokenizer.Step.Split;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * How a byte-level BPE tokenizer cuts text before it merges. tokenizer.json spells the cuts out, GGUF names them
 * ({@code tokenizer.ggml.pre}; llama.cpp, src/llama-vocab.cpp). Where several names stand for one behaviour they share
 * an entry here, and the first of them is written.
 *
 * <p>llama.cpp brings no text into Unicode's normal form C. A tokenizer.json may ask for it, and a name by which only
 * such tokenizers go brings it back: Qwen's, OLMo's, Command R's.
 */
public enum PreTokenizer {
    GPT2(
            List.of(
                    "gpt-2",
                    "phi-2",
                    "jais",
                    "roberta-bpe",
                    "jina-es",
                    "jina-de",
                    "jina-v1-en",
                    "jina-v2-es",
                    "jina-v2-de",
                    "jina-v2-code",
                    "gigachat",
                    "a.x-4.0",
                    "mellum",
                    "modern-bert",
                    "exaone4",
                    "trillion",
                    "granite-docling"),
            Trait.NONE,
            new ByteLevel(false, true)),
    OLMO(List.of("olmo", "mpt"), Trait.COMPOSED, new ByteLevel(false, true)),
    LLAMA3(
            List.of(
                    "llama-bpe",
                    "llama3",
                    "llama-v3",
                    "falcon3",
                    "falcon-h1",
                    "pixtral",
                    "midm-2.0",
                    "lfm2",
                    "jina-v5-nano"),
            Trait.WHOLE_WORDS_AFTER_BEGIN,
            new Split(Expressions.LLAMA3),
            new ByteLevel(false, false)),
    DBRX(
            List.of("dbrx", "smaug-bpe", "chatglm-bpe", "glm4"),
            Trait.NONE,
            new Split(Expressions.LLAMA3),
            new ByteLevel(false, false)),
    QWEN2(
            List.of("qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2"),
            Trait.COMPOSED,
            new Split(Expressions.QWEN2),
            new ByteLevel(false, false)),
    STABLELM2(
            List.of("stablelm2", "megrez", "hunyuan", "solar-open", "grok-2"),
            Trait.NONE,
            new Split(Expressions.QWEN2),
            new ByteLevel(false, false)),
    QWEN35(List.of("qwen35"), Trait.COMPOSED, new Split(Expressions.QWEN35), new ByteLevel(false, false)),
    SEED_CODER(List.of("seed-coder"), Trait.NONE, new Split(Expressions.SEED_CODER), new ByteLevel(false, false)),
    SMOLLM(
            List.of("smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"),
            Trait.NONE,
            new Digits(true),
            new ByteLevel(false, true)),
    COMMAND_R(List.of("command-r"), Trait.COMPOSED, new Digits(true), new ByteLevel(false, true)),
    FALCON(
            List.of("falcon"),
            Trait.NONE,
            new Punctuation("Contiguous"),
            new ByteLevel(false, true),
            new Digits(false),
            new Split("[0-9][0-9][0-9]")),
    BLOOM(
            List.of("bloom", "gpt3-finnish", "poro-chat"),
            Trait.NONE,
            new Split(Expressions.BLOOM),
            new ByteLevel(false, false)),
    VIKING(List.of("viking"), Trait.NONE, new Split(Expressions.BLOOM), new Digits(true), new ByteLevel(false, false)),
    TEKKEN(
            List.of("tekken"),
            Trait.WHOLE_WORDS_AFTER_BEGIN,
            new Split(Expressions.TEKKEN),
            new ByteLevel(false, false)),
    GPT4O(
            List.of("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"),
            Trait.NONE,
            new Split(Expressions.GPT4O),
            new ByteLevel(false, false)),
    DEEPSEEK_LLM(
            List.of("deepseek-llm"),
            Trait.NONE,
            new Split(Expressions.LINE_BREAK),
            new Split(Expressions.DEEPSEEK_WORDS),
            new Split(Expressions.DEEPSEEK_PUNCTUATION),
            new Split("\\s+$"),
            new Split(Expressions.HAN_AND_HANGUL),
            new Digits(true),
            new ByteLevel(false, false)),
    DEEPSEEK_CODER(
            List.of("deepseek-coder"),
            Trait.NONE,
            new Split(Expressions.LINE_BREAK),
            new Split("\\s?\\p{L}+"),
            new Split("\\s?\\p{P}+"),
            new Split(Expressions.HAN_AND_HANGUL),
            new Digits(true),
            new ByteLevel(false, false)),
    DEEPSEEK3(
            List.of("deepseek-v3", "hunyuan-dense", "joyai-llm"),
            Trait.NONE,
            new Split("\\p{N}{1,3}"),
            new Split(Expressions.HAN_AND_KANA),
            new Split(Expressions.DEEPSEEK3),
            new ByteLevel(false, false)),
    /** What llama.cpp does with a file that names nothing. */
    DEFAULT(
            List.of("default"),
            Trait.NONE,
            new Split(Expressions.DEFAULT_PUNCTUATION),
            new Split(Expressions.DEFAULT_WORDS),
            new Split("\\p{N}+"),
            new Split("[0-9][0-9][0-9]"),
            new ByteLevel(false, false));

    /** What else a name tells about a tokenizer. */
    private enum Trait {
        NONE,
        /** Text is brought into Unicode's normal form C. */
        COMPOSED,
        /** A word that is a token is taken whole, and bos comes first where nothing else is said. */
        WHOLE_WORDS_AFTER_BEGIN
    }

    /** One step of cutting. */
    sealed interface Step {
        /** Every match is a piece, and so is what lies between two. */
        record Split(String expression) implements Step {}

        /** Digits apart from the rest, each for itself or in runs. */
        record Digits(boolean single) implements Step {}

        /** Punctuation apart from the rest. */
        record Punctuation(String behavior) implements Step {}

        /** Bytes as printable characters; {@code words}: after cutting as GPT-2 does. */
        record ByteLevel(boolean spacePrefix, boolean words) implements Step {}

        /** Anything else. */
        record Other(String json) implements Step {}
    }

    private final List<String> ggufNames;
    private final Trait trait;
    private final List<Step> steps;

    PreTokenizer(List<String> ggufNames, Trait trait, Step... steps) {
        this.ggufNames = ggufNames;
        this.trait = trait;
        this.steps = List.of(steps);
    }

    /** The one that GGUF calls {@code name}. */
    public static Optional<PreTokenizer> ofGguf(String name) {
        return Arrays.stream(values())
                .filter(candidate -> candidate.ggufNames.contains(name))
                .findFirst();
    }

    /**
     * The one that cuts as tokenizer.json's {@code pre_tokenizer} does and takes words whole or not; of those the one
     * that normalizes alike, if there is one.
     */
    static Optional<PreTokenizer> ofJson(JsonNode node, boolean composes, boolean wholeWords) {
        List<Step> wanted = steps(node);
        List<PreTokenizer> alike = Arrays.stream(values())
                .filter(candidate -> candidate.steps.equals(wanted) && candidate.wholeWords() == wholeWords)
                .toList();
        return alike.stream()
                .filter(candidate -> candidate.composes() == composes)
                .findFirst()
                .or(() -> alike.stream().findFirst());
    }

    /** What a description does, leaving out what it can say in several ways. */
    private static List<Step> steps(JsonNode node) {
        List<Step> steps = new ArrayList<>();
        switch (node.path("type").asText()) {
            case "Sequence" -> node.path("pretokenizers").forEach(step -> steps.addAll(steps(step)));
            case "Split" -> steps.add(split(node));
            case "Digits" -> steps.add(new Digits(node.path("individual_digits").asBoolean()));
            case "Punctuation" ->
                steps.add(new Punctuation(node.path("behavior").asText("Isolated")));
            case "ByteLevel" ->
                steps.add(new ByteLevel(
                        node.path("add_prefix_space").asBoolean(true),
                        node.path("use_regex").asBoolean(true)));
            default -> steps.add(new Other(node.toString()));
        }
        return steps;
    }

    private static Step split(JsonNode node) {
        String expression = node.path("pattern").path("Regex").asText();
        String behavior = node.path("behavior").asText();
        boolean invert = node.path("invert").asBoolean();
        // To drop what lies between matches is the same where an expression leaves nothing between them.
        boolean everything = expression.endsWith("|\\s+(?!\\S)|\\s+");
        boolean isolated = behavior.equals("Isolated") || behavior.equals("Removed") && invert && everything;
        return !expression.isEmpty() && isolated ? new Split(expression) : new Other(node.toString());
    }

    /** Its name in GGUF. */
    public String ggufName() {
        return ggufNames.getFirst();
    }

    /** Whether a word that is a token as a whole is taken as that, whatever the merges say. */
    public boolean wholeWords() {
        return trait == Trait.WHOLE_WORDS_AFTER_BEGIN;
    }

    /** Whether llama.cpp puts bos first where the file does not say. */
    public boolean addsBegin() {
        return trait == Trait.WHOLE_WORDS_AFTER_BEGIN;
    }

    /** Whether tokenizers that go by this name bring text into Unicode's normal form C. */
    public boolean composes() {
        return trait == Trait.COMPOSED;
    }

    /** Its {@code pre_tokenizer} in tokenizer.json. */
    public ObjectNode json() {
        ObjectNode sequence = JsonNodeFactory.instance.objectNode().put("type", "Sequence");
        ArrayNode array = sequence.putArray("pretokenizers");
        for (Step step : steps) {
            ObjectNode node = array.addObject();
            switch (step) {
                case Split split -> {
                    node.put("type", "Split").putObject("pattern").put("Regex", split.expression());
                    node.put("behavior", "Isolated").put("invert", false);
                }
                case Digits digits -> node.put("type", "Digits").put("individual_digits", digits.single());
                case Punctuation punctuation -> node.put("type", "Punctuation").put("behavior", punctuation.behavior());
                case ByteLevel bytes ->
                    node.put("type", "ByteLevel")
                            .put("add_prefix_space", bytes.spacePrefix())
                            .put("trim_offsets", true)
                            .put("use_regex", bytes.words());
                case Other other -> throw new IllegalStateException(other.json());
            }
        }
        return sequence;
    }
}
