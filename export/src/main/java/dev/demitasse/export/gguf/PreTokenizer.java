package dev.demitasse.export.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.export.ExportReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What happens to text before merging, as tokenizer.json says it and as llama.cpp names it. */
final class PreTokenizer {
    private static final String GPT2 = "gpt-2";

    /**
     * Expressions that cut text, and {@code tokenizer.ggml.pre} for each (llama.cpp, src/llama-vocab.cpp); those of
     * Llama 3 and Qwen 2 differ in how many digits stay together.
     */
    private static final Map<String, String> BY_EXPRESSION = Map.of(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            "llama-bpe",
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            "qwen2");

    private PreTokenizer() {}

    /** Whether tokens are of bytes, each shown as a letter, as GPT-2's are. */
    static boolean byteLevel(JsonNode tokenizer) {
        return steps(tokenizer).stream().anyMatch(step -> type(step).equals("ByteLevel"))
                || type(tokenizer.path("decoder")).equals("ByteLevel");
    }

    /** {@code tokenizer.ggml.pre} of a byte-level tokenizer. */
    static String name(JsonNode tokenizer, ExportReport.Builder report) {
        boolean digits = false;
        String name = "";
        for (JsonNode step : steps(tokenizer)) {
            switch (type(step)) {
                case "Digits" -> digits = step.path("individual_digits").asBoolean();
                case "Split" ->
                    name = BY_EXPRESSION.getOrDefault(
                            step.path("pattern").path("Regex").asText(), "");
                case "ByteLevel" -> {
                    if (step.path("use_regex").asBoolean(true)) {
                        name = digits ? "smollm" : GPT2;
                    }
                    if (step.path("add_prefix_space").asBoolean()) {
                        report.note("the tokenizer puts a space before every text; llama.cpp does not");
                    }
                }
                default -> name = "";
            }
        }
        if (name.isEmpty()) {
            report.note("llama.cpp has no name for how this tokenizer cuts text; written as gpt-2, which may differ");
            return GPT2;
        }
        return name;
    }

    /** Whether a SentencePiece-like tokenizer puts a space before the text. */
    static boolean addsSpace(JsonNode tokenizer) {
        List<JsonNode> steps = new ArrayList<>(steps(tokenizer));
        JsonNode normalizer = tokenizer.path("normalizer");
        steps.add(normalizer);
        normalizer.path("normalizers").forEach(steps::add);
        return steps.stream().anyMatch(step -> switch (type(step)) {
            case "Prepend" -> true;
            case "Metaspace" ->
                !step.path("prepend_scheme").asText("always").equals("never")
                        && step.path("add_prefix_space").asBoolean(true);
            default -> false;
        });
    }

    private static List<JsonNode> steps(JsonNode tokenizer) {
        JsonNode whole = tokenizer.path("pre_tokenizer");
        List<JsonNode> steps = new ArrayList<>();
        if (type(whole).equals("Sequence")) {
            whole.path("pretokenizers").forEach(steps::add);
        } else if (whole.isObject()) {
            steps.add(whole);
        }
        return steps;
    }

    private static String type(JsonNode step) {
        return step.path("type").asText();
    }
}
