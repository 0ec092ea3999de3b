package dev.demitasse.model.gguf;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.tokenizer.PreTokenizer;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerData;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** A tokenizer as GGUF metadata, keys {@code tokenizer.*} (ggml, docs/gguf.md, "Tokenizer"). */
public final class GgufTokenizer {
    private static final String JSON = "tokenizer.huggingface.json";
    private static final String MODEL = "tokenizer.ggml.model";
    private static final String PRE = "tokenizer.ggml.pre";
    private static final String TOKENS = "tokenizer.ggml.tokens";
    private static final String TYPES = "tokenizer.ggml.token_type";
    private static final String SCORES = "tokenizer.ggml.scores";
    private static final String MERGES = "tokenizer.ggml.merges";
    private static final String BEGIN = "tokenizer.ggml.bos_token_id";
    private static final String END = "tokenizer.ggml.eos_token_id";
    private static final String END_OF_TURN = "tokenizer.ggml.eot_token_id";
    private static final String UNKNOWN = "tokenizer.ggml.unknown_token_id";
    private static final String PADDING = "tokenizer.ggml.padding_token_id";
    private static final String ADD_BEGIN = "tokenizer.ggml.add_bos_token";
    private static final String ADD_END = "tokenizer.ggml.add_eos_token";
    private static final String SPACE_PREFIX = "tokenizer.ggml.add_space_prefix";

    private GgufTokenizer() {}

    /**
     * The file's tokenizer: its tokenizer.json where it has one, else one made of its tokens. Nothing where it has
     * neither.
     */
    public static Optional<Tokenizer> read(GgufMetadata metadata) {
        Optional<String> json = metadata.text(JSON);
        if (json.isEmpty() && !metadata.has(TOKENS)) {
            return Optional.empty();
        }
        return Optional.of(Tokenizer.ofJson(
                metadata.path(), json.orElseGet(() -> data(metadata).toJson())));
    }

    /** What the file's own keys say, whether or not it has a tokenizer.json. */
    static TokenizerData data(GgufMetadata metadata) {
        String model = metadata.text(MODEL).orElse("");
        try {
            return switch (model) {
                case "llama" -> sentencePiece(metadata);
                case "gpt2" -> byteLevel(metadata);
                default -> throw metadata.malformed(MODEL, "is '" + model + "'; Demitasse knows llama and gpt2");
            };
        } catch (IllegalArgumentException e) {
            throw new MalformedModelException(
                    metadata.path(), "an impossible tokenizer: " + e.getMessage(), "the file was written wrongly", e);
        }
    }

    private static TokenizerData sentencePiece(GgufMetadata metadata) {
        List<String> tokens = tokens(metadata);
        List<TokenType> types = types(metadata, tokens.size());
        List<Double> scores =
                metadata.list(SCORES, Double.class).orElseThrow(() -> metadata.malformed(SCORES, "is missing"));
        if (scores.size() != tokens.size() || scores.stream().anyMatch(score -> score.isNaN())) {
            throw metadata.malformed(SCORES, "must hold %d numbers".formatted(tokens.size()));
        }
        int unknown = metadata.id(UNKNOWN).orElse(types.indexOf(TokenType.UNKNOWN));
        return new TokenizerData(
                Kind.SENTENCE_PIECE,
                tokens,
                types,
                scores,
                merges(tokens, types, scores),
                Optional.empty(),
                metadata.flag(SPACE_PREFIX, true),
                unknown < 0 ? OptionalInt.empty() : OptionalInt.of(unknown),
                added(metadata, metadata.flag(ADD_BEGIN, true), BEGIN, 1),
                added(metadata, metadata.flag(ADD_END, false), END, 2));
    }

    private static TokenizerData byteLevel(GgufMetadata metadata) {
        List<String> tokens = tokens(metadata);
        String name = metadata.text(PRE).orElse("default");
        PreTokenizer pre = PreTokenizer.ofGguf(name)
                .orElseThrow(() -> metadata.malformed(PRE, "is '" + name + "', which Demitasse does not know"));
        List<Merge> merges = new ArrayList<>();
        for (String merge :
                metadata.list(MERGES, String.class).orElseThrow(() -> metadata.malformed(MERGES, "is missing"))) {
            int space = merge.indexOf(' ', 1);
            if (space < 0) {
                throw metadata.malformed(MERGES, "holds '" + merge + "', expected two tokens and a space between");
            }
            merges.add(new Merge(merge.substring(0, space), merge.substring(space + 1)));
        }
        return new TokenizerData(
                Kind.BYTE_LEVEL,
                tokens,
                types(metadata, tokens.size()),
                List.of(),
                merges,
                Optional.of(pre),
                false,
                metadata.id(UNKNOWN),
                added(metadata, metadata.flag(ADD_BEGIN, pre.addsBegin()), BEGIN, -1),
                added(metadata, metadata.flag(ADD_END, false), END, -1));
    }

    private static OptionalInt added(GgufMetadata metadata, boolean wanted, String key, int otherwise) {
        int id = metadata.id(key).orElse(otherwise);
        return wanted && id >= 0 ? OptionalInt.of(id) : OptionalInt.empty();
    }

    private static List<String> tokens(GgufMetadata metadata) {
        return metadata.list(TOKENS, String.class).orElseThrow(() -> metadata.malformed(TOKENS, "is missing"));
    }

    private static List<TokenType> types(GgufMetadata metadata, int count) {
        Optional<List<Long>> ids = metadata.list(TYPES, Long.class);
        if (ids.isEmpty()) {
            return Collections.nCopies(count, TokenType.NORMAL);
        }
        List<TokenType> types = new ArrayList<>();
        for (long id : ids.get()) {
            // 0 is "undefined", which llama.cpp takes as a plain token.
            if (id < 0 || id > TokenType.values().length) {
                throw metadata.malformed(TYPES, "holds the unknown type " + id);
            }
            types.add(id == 0 ? TokenType.NORMAL : TokenType.values()[(int) id - 1]);
        }
        if (types.size() != count) {
            throw metadata.malformed(TYPES, "has %d elements for %d tokens".formatted(types.size(), count));
        }
        return types;
    }

    /**
     * Every way to make a token of two others, best score first; of one token's ways the longest left part first. This is
     * how transformers makes merges of a SentencePiece model ({@code convert_slow_tokenizer.generate_merges}).
     */
    private static List<Merge> merges(List<String> tokens, List<TokenType> types, List<Double> scores) {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) == TokenType.NORMAL || types.get(id) == TokenType.USER_DEFINED) {
                ids.putIfAbsent(tokens.get(id), id);
            }
        }
        List<Integer> order = new ArrayList<>(ids.values());
        order.sort(Comparator.<Integer>comparingDouble(id -> -scores.get(id)).thenComparing(id -> id));
        List<Merge> merges = new ArrayList<>();
        for (int id : order) {
            String token = tokens.get(id);
            for (int cut = token.length() - 1; cut > 0; cut--) {
                String left = token.substring(0, cut);
                String right = token.substring(cut);
                if (ids.containsKey(left) && ids.containsKey(right)) {
                    merges.add(new Merge(left, right));
                }
            }
        }
        return merges;
    }

    /**
     * The keys under {@code tokenizer} of a model with this tokenizer: Integer, Boolean, String, and List of Integer,
     * Float or String. Ids that the model has beyond the tokenizer's become unused tokens. The tokenizer.json itself is
     * left out: megabytes in every file, for what the keys say already.
     *
     * @throws InvalidRequestException if GGUF has no way to say what the tokenizer does
     */
    public static Map<String, Object> write(Tokenizer tokenizer, ModelConfig config) {
        TokenizerData data = tokenizer.data();
        if (data.tokens().size() > config.vocabularySize()) {
            throw new InvalidRequestException(
                    "tokenizer",
                    "has %,d tokens, the model %,d".formatted(data.tokens().size(), config.vocabularySize()),
                    "take the tokenizer that came with the model");
        }
        int padding = config.vocabularySize() - data.tokens().size();
        List<String> tokens = new ArrayList<>(data.tokens());
        List<Integer> types = new ArrayList<>();
        data.types().forEach(type -> types.add(type.ggufId()));
        for (int i = 0; i < padding; i++) {
            tokens.add("[PAD" + tokens.size() + "]");
            types.add(TokenType.UNUSED.ggufId());
        }
        Map<String, Object> values = new LinkedHashMap<>();
        switch (data.kind()) {
            case SENTENCE_PIECE -> {
                values.put(MODEL, "llama");
                values.put(PRE, "default");
                List<Float> scores = new ArrayList<>();
                data.scores().forEach(score -> scores.add(score.floatValue()));
                scores.addAll(Collections.nCopies(padding, -1000.0f * tokens.size()));
                values.put(SCORES, scores);
                values.put(SPACE_PREFIX, data.spacePrefix());
            }
            case BYTE_LEVEL -> {
                values.put(MODEL, "gpt2");
                values.put(
                        PRE,
                        data.preTokenizer()
                                .orElseThrow(GgufTokenizer::namelessPreTokenizer)
                                .ggufName());
                values.put(
                        MERGES,
                        data.merges().stream()
                                .map(merge -> merge.left() + " " + merge.right())
                                .toList());
            }
        }
        values.put(TOKENS, tokens);
        values.put(TYPES, types);
        OptionalInt begin =
                data.begin().isPresent() ? data.begin() : config.specialTokens().bos();
        begin.ifPresent(id -> values.put(BEGIN, id));
        List<Integer> ends = config.specialTokens().eos();
        for (int i = 0; i < Math.min(2, ends.size()); i++) {
            values.put(i == 0 ? END : END_OF_TURN, ends.get(i));
        }
        data.unknown().ifPresent(id -> values.put(UNKNOWN, id));
        config.specialTokens().pad().ifPresent(id -> values.put(PADDING, id));
        values.put(ADD_BEGIN, data.begin().isPresent());
        values.put(ADD_END, data.end().isPresent());
        return values;
    }

    private static InvalidRequestException namelessPreTokenizer() {
        return new InvalidRequestException(
                "tokenizer",
                "cuts text in a way that GGUF has no name for",
                "export to ONNX, or take a model whose tokenizer is GPT-2's, Llama's, Qwen2's or SmolLM's");
    }
}
