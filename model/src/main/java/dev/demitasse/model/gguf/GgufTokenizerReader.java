package dev.demitasse.model.gguf;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.tokenizer.PreTokenizer;
import dev.demitasse.model.tokenizer.SentencePieceMerges;
import dev.demitasse.model.tokenizer.TokenizerData;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** What GGUF's own tokenizer keys say; where they say nothing, what llama.cpp assumes (src/llama-vocab.cpp). */
final class GgufTokenizerReader {
    /** How a WordPiece token that starts a word is marked; one that does not has no mark. */
    static final String WORD_START = "▁";

    private final GgufMetadata metadata;
    private final List<String> tokens;
    private final List<TokenType> types;

    private GgufTokenizerReader(GgufMetadata metadata) {
        this.metadata = metadata;
        this.tokens = metadata.list(GgufTokenizer.TOKENS, String.class)
                .orElseThrow(() -> metadata.malformed(GgufTokenizer.TOKENS, "is missing"));
        this.types = types(metadata, tokens.size());
    }

    /** Reads the keys, whether or not there is a tokenizer.json beside them. */
    static TokenizerData read(GgufMetadata metadata) {
        String model = metadata.text(GgufTokenizer.MODEL).orElse("");
        try {
            GgufTokenizerReader reader = new GgufTokenizerReader(metadata);
            return switch (model) {
                case "llama" -> reader.sentencePiece();
                case "gpt2" -> reader.byteLevel();
                case "t5" -> reader.unigram();
                case "bert" -> reader.wordPiece();
                default ->
                    throw metadata.malformed(
                            GgufTokenizer.MODEL, "is '" + model + "'; Demitasse knows llama, gpt2, t5 and bert");
            };
        } catch (IllegalArgumentException e) {
            throw new MalformedModelException(
                    metadata.path(), "an impossible tokenizer: " + e.getMessage(), "the file was written wrongly", e);
        }
    }

    private TokenizerData sentencePiece() {
        List<Double> scores = scores();
        return data(
                Kind.SENTENCE_PIECE,
                scores,
                SentencePieceMerges.of(tokens, types, scores),
                Optional.empty(),
                new Normalization(
                        metadata.flag(GgufTokenizer.SPACE_PREFIX, true),
                        metadata.flag(GgufTokenizer.MERGE_SPACES, false),
                        "",
                        false,
                        false),
                unknown(),
                added(GgufTokenizer.ADD_BEGIN, true, GgufTokenizer.BEGIN, 1),
                added(GgufTokenizer.ADD_END, false, GgufTokenizer.END, 2));
    }

    private TokenizerData byteLevel() {
        String name = metadata.text(GgufTokenizer.PRE).orElse("default");
        PreTokenizer pre = PreTokenizer.ofGguf(name)
                .orElseThrow(() ->
                        metadata.malformed(GgufTokenizer.PRE, "is '" + name + "', which Demitasse does not know"));
        List<Merge> merges = new ArrayList<>();
        for (String merge : metadata.list(GgufTokenizer.MERGES, String.class)
                .orElseThrow(() -> metadata.malformed(GgufTokenizer.MERGES, "is missing"))) {
            int space = merge.indexOf(' ', 1);
            if (space < 0) {
                throw metadata.malformed(
                        GgufTokenizer.MERGES, "holds '" + merge + "', expected two tokens and a space between");
            }
            merges.add(new Merge(merge.substring(0, space), merge.substring(space + 1)));
        }
        return data(
                Kind.BYTE_LEVEL,
                List.of(),
                merges,
                Optional.of(pre),
                Normalization.NONE,
                metadata.id(GgufTokenizer.UNKNOWN),
                added(GgufTokenizer.ADD_BEGIN, pre.addsBegin(), GgufTokenizer.BEGIN, -1),
                added(GgufTokenizer.ADD_END, false, GgufTokenizer.END, -1));
    }

    private TokenizerData unigram() {
        return data(
                Kind.UNIGRAM,
                scores(),
                List.of(),
                Optional.empty(),
                new Normalization(
                        metadata.flag(GgufTokenizer.SPACE_PREFIX, false),
                        metadata.flag(GgufTokenizer.MERGE_SPACES, false),
                        charsmap(),
                        false,
                        false),
                unknown(),
                added(GgufTokenizer.ADD_BEGIN, false, GgufTokenizer.BEGIN, -1),
                added(GgufTokenizer.ADD_END, true, GgufTokenizer.END, 1));
    }

    private String charsmap() {
        List<Long> bytes = metadata.list(GgufTokenizer.CHARSMAP, Long.class).orElse(List.of());
        byte[] map = new byte[bytes.size()];
        for (int i = 0; i < map.length; i++) {
            long value = bytes.get(i);
            if (value < Byte.MIN_VALUE || value > 255) {
                throw metadata.malformed(GgufTokenizer.CHARSMAP, "holds " + value + ", which is no byte");
            }
            map[i] = (byte) value;
        }
        return Base64.getEncoder().encodeToString(map);
    }

    private TokenizerData wordPiece() {
        boolean lowercase = metadata.flag(GgufTokenizer.LOWERCASE, true);
        OptionalInt end = metadata.flag(GgufTokenizer.ADD_SEPARATOR, true)
                ? OptionalInt.of(metadata.id(GgufTokenizer.SEPARATOR).orElse(102))
                : added(GgufTokenizer.ADD_END, false, GgufTokenizer.END, -1);
        return new TokenizerData(
                Kind.WORD_PIECE,
                pieces(),
                types,
                List.of(),
                List.of(),
                Optional.empty(),
                new Normalization(false, false, "", lowercase, metadata.flag(GgufTokenizer.STRIP_ACCENTS, lowercase)),
                OptionalInt.of(metadata.id(GgufTokenizer.UNKNOWN).orElse(100)),
                added(GgufTokenizer.ADD_BEGIN, true, GgufTokenizer.BEGIN, 101),
                end,
                List.of());
    }

    /** Tokens as vocab.txt has them. */
    private List<String> pieces() {
        List<String> pieces = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            String token = tokens.get(id);
            if (token.startsWith(WORD_START)) {
                pieces.add(token.substring(1));
            } else if (types.get(id) != TokenType.NORMAL || bracketed(token)) {
                pieces.add(token);
            } else {
                pieces.add("##" + token);
            }
        }
        return pieces;
    }

    /** Whether a token is one like {@code [CLS]}, which has no mark. */
    static boolean bracketed(String token) {
        return token.length() > 1 && token.startsWith("[") && token.endsWith("]");
    }

    private TokenizerData data(
            Kind kind,
            List<Double> scores,
            List<Merge> merges,
            Optional<PreTokenizer> pre,
            Normalization normalization,
            OptionalInt unknown,
            OptionalInt begin,
            OptionalInt end) {
        return new TokenizerData(
                kind, tokens, types, scores, merges, pre, normalization, unknown, begin, end, List.of());
    }

    private OptionalInt unknown() {
        int unknown = metadata.id(GgufTokenizer.UNKNOWN).orElse(types.indexOf(TokenType.UNKNOWN));
        return unknown < 0 ? OptionalInt.empty() : OptionalInt.of(unknown);
    }

    private List<Double> scores() {
        List<Double> scores = metadata.list(GgufTokenizer.SCORES, Double.class)
                .orElseThrow(() -> metadata.malformed(GgufTokenizer.SCORES, "is missing"));
        if (scores.size() != tokens.size() || scores.stream().anyMatch(score -> !Double.isFinite(score))) {
            throw metadata.malformed(GgufTokenizer.SCORES, "must hold %d numbers".formatted(tokens.size()));
        }
        return scores;
    }

    private OptionalInt added(String flag, boolean assumed, String key, int otherwise) {
        int id = metadata.id(key).orElse(otherwise);
        return metadata.flag(flag, assumed) && id >= 0 ? OptionalInt.of(id) : OptionalInt.empty();
    }

    private static List<TokenType> types(GgufMetadata metadata, int count) {
        Optional<List<Long>> ids = metadata.list(GgufTokenizer.TYPES, Long.class);
        if (ids.isEmpty()) {
            return Collections.nCopies(count, TokenType.NORMAL);
        }
        List<TokenType> types = new ArrayList<>();
        for (long id : ids.get()) {
            // 0 is "undefined", which llama.cpp takes as a plain token.
            if (id < 0 || id > TokenType.values().length) {
                throw metadata.malformed(GgufTokenizer.TYPES, "holds the unknown type " + id);
            }
            types.add(id == 0 ? TokenType.NORMAL : TokenType.values()[(int) id - 1]);
        }
        if (types.size() != count) {
            throw metadata.malformed(
                    GgufTokenizer.TYPES, "has %d elements for %d tokens".formatted(types.size(), count));
        }
        return types;
    }
}
