package dev.demitasse.model.tokenizer;

import static dev.demitasse.model.tokenizer.TokenizerJson.SPACE;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import java.util.ArrayList;
import java.util.List;

/**
 * What a tokenizer.json does to a text before its model sees it, gathered from {@code normalizer} and
 * {@code pre_tokenizer}: the same can be said in several ways, and parts of it in either place. What
 * {@link Normalization} has no word for is told as an omission.
 */
final class TextSteps {
    private final Kind kind;
    /** Whether a token has ▁ behind its first character. */
    private final boolean spacesInside;

    private final List<String> omissions = new ArrayList<>();
    private boolean spacePrefix;
    private boolean mergeSpaces;
    private String charsmap = "";
    private boolean lowercase;
    private boolean stripAccents;
    private boolean composes;
    private boolean strips;
    private boolean metaspace;

    TextSteps(Kind kind, JsonNode normalizer, JsonNode preTokenizer, boolean spacesInside) {
        this.kind = kind;
        this.spacesInside = spacesInside;
        TokenizerJson.steps(normalizer, "normalizers").forEach(this::normalize);
        if (kind != Kind.BYTE_LEVEL) {
            TokenizerJson.steps(preTokenizer, "pretokenizers").forEach(this::cut);
        }
        if (strips && !mergeSpaces) {
            omissions.add("strips white space off a text");
        }
        if (metaspace && spacePrefix && !mergeSpaces) {
            // It sees to it that ▁ stands before a text; SentencePiece and llama.cpp put one more.
            omissions.add("puts no space before a text that starts with one");
        }
    }

    private void normalize(JsonNode step) {
        String type = step.path("type").asText();
        boolean spaced = kind == Kind.SENTENCE_PIECE || kind == Kind.UNIGRAM;
        if (step.isNull() || step.isMissingNode()) {
            return;
        }
        switch (type) {
            case "Prepend" -> {
                spacePrefix = spaced;
                expect(step, spaced && step.path("prepend").asText().equals(SPACE));
            }
            case "Replace" -> replace(step, spaced);
            case "Precompiled" -> {
                charsmap = step.path("precompiled_charsmap").asText("");
                expect(step, spaced);
            }
            case "Strip" -> {
                strips = true;
                expect(step, spaced);
            }
            case "NFC" -> {
                composes = true;
                expect(step, kind == Kind.BYTE_LEVEL);
            }
            case "BertNormalizer" -> bert(step);
            default -> expect(step, false);
        }
    }

    private void replace(JsonNode step, boolean spaced) {
        JsonNode pattern = step.path("pattern");
        String content = step.path("content").asText();
        boolean runs = pattern.path("Regex").asText().equals(" {2,}");
        mergeSpaces |= runs;
        boolean escape = pattern.path("String").asText().equals(" ") && content.equals(SPACE);
        expect(step, spaced && (escape || runs && (content.equals(" ") || content.equals(SPACE))));
    }

    private void bert(JsonNode step) {
        lowercase = step.path("lowercase").asBoolean(true);
        stripAccents = step.path("strip_accents").asBoolean(lowercase);
        boolean usual = step.path("clean_text").asBoolean(true)
                && step.path("handle_chinese_chars").asBoolean(true);
        expect(step, kind == Kind.WORD_PIECE && usual);
    }

    private void cut(JsonNode step) {
        boolean spaced = kind == Kind.SENTENCE_PIECE || kind == Kind.UNIGRAM;
        if (step.isNull() || step.isMissingNode()) {
            return;
        }
        switch (step.path("type").asText()) {
            case "Metaspace" -> {
                metaspace = true;
                spacePrefix = !step.path("prepend_scheme")
                        .asText(step.path("add_prefix_space").asBoolean(true) ? "always" : "never")
                        .equals("never");
                boolean splits = step.path("split").asBoolean(true);
                expect(step, spaced && step.path("replacement").asText(SPACE).equals(SPACE));
                if (splits && spacesInside) {
                    omissions.add("cuts at every ▁, though some of its tokens hold one");
                }
            }
            case "WhitespaceSplit" -> {
                mergeSpaces = true;
                expect(step, kind == Kind.UNIGRAM);
            }
            // Gemma's: by then no space is left to split at.
            case "Split" ->
                expect(
                        step,
                        spaced && step.path("pattern").path("String").asText().equals(" "));
            case "BertPreTokenizer" -> expect(step, kind == Kind.WORD_PIECE);
            default -> expect(step, false);
        }
    }

    private void expect(JsonNode step, boolean known) {
        if (!known) {
            String text = step.toString();
            omissions.add("does to its text " + (text.length() > 200 ? text.substring(0, 200) + "…" : text));
        }
    }

    Normalization normalization() {
        return new Normalization(spacePrefix, mergeSpaces, charsmap, lowercase, stripAccents);
    }

    /** Whether the text is brought into normal form C. */
    boolean composes() {
        return composes;
    }

    List<String> omissions() {
        return omissions;
    }
}
