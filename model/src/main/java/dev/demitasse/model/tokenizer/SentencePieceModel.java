package dev.demitasse.model.tokenizer;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.files.ProtobufReader;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Reads a tokenizer.model: SentencePiece's ModelProto (github.com/google/sentencepiece, src/sentencepiece_model.proto),
 * of its models BPE and unigram. As transformers' and llama.cpp's readings do, ours looks for user-defined pieces before
 * the text's spaces become ▁, where SentencePiece does so after; where a space is thought before a text, one is before
 * the text behind such a piece, too.
 */
final class SentencePieceModel {
    private static final String ADVICE = "take the tokenizer.model that came with the model";
    private static final long LONGEST_FILE = 1L << 28;
    private static final int LONGEST_PIECE = 1 << 16;
    private static final int UNIGRAM = 1;
    private static final int BPE = 2;

    private final Path path;
    private final List<String> pieces = new ArrayList<>();
    private final List<Double> scores = new ArrayList<>();
    private final List<TokenType> types = new ArrayList<>();
    private int model = UNIGRAM;
    private boolean byteFallback;
    private int unknown;
    private int begin = 1;
    private int end = 2;
    private String charsmap = "";
    private boolean spacePrefix = true;
    private boolean mergeSpaces = true;
    private boolean escapeSpaces = true;
    private boolean suffix;

    private SentencePieceModel(Path path) {
        this.path = path;
    }

    /**
     * What the file says; begin and end are the pieces that may be put around a text, whether or not they are.
     *
     * @throws MalformedModelException if it is no such file
     * @throws InvalidRequestException if it works in a way that Demitasse does not know
     */
    static TokenizerData read(Path path) throws IOException {
        if (Files.size(path) > LONGEST_FILE) {
            throw new MalformedModelException(
                    path, "takes %,d bytes, expected at most %,d".formatted(Files.size(path), LONGEST_FILE), ADVICE);
        }
        SentencePieceModel model = new SentencePieceModel(path);
        model.readModel(new ProtobufReader(path, MemorySegment.ofArray(Files.readAllBytes(path))));
        return model.data();
    }

    private void readModel(ProtobufReader fields) {
        while (fields.next()) {
            switch (fields.number()) {
                case 1 -> readPiece(fields.message());
                case 2 -> readTraining(fields.message());
                case 3 -> readNormalization(fields.message());
                default -> {}
            }
        }
    }

    private void readPiece(ProtobufReader fields) {
        String piece = "";
        double score = 0;
        long type = TokenType.NORMAL.ggufId();
        while (fields.next()) {
            switch (fields.number()) {
                case 1 -> piece = fields.text(LONGEST_PIECE);
                case 2 -> score = fields.float32();
                case 3 -> type = fields.varint();
                default -> {}
            }
        }
        if (!Double.isFinite(score) || type < 1 || type > TokenType.values().length) {
            throw malformed("piece %d has score %s and type %d".formatted(pieces.size(), score, type));
        }
        pieces.add(piece);
        scores.add(score);
        types.add(TokenType.values()[(int) type - 1]);
    }

    private void readTraining(ProtobufReader fields) {
        while (fields.next()) {
            switch (fields.number()) {
                case 3 -> model = (int) fields.varint();
                case 24 -> suffix = fields.varint() != 0;
                case 35 -> byteFallback = fields.varint() != 0;
                case 40 -> unknown = (int) fields.varint();
                case 41 -> begin = (int) fields.varint();
                case 42 -> end = (int) fields.varint();
                default -> {}
            }
        }
    }

    private void readNormalization(ProtobufReader fields) {
        while (fields.next()) {
            switch (fields.number()) {
                case 2 ->
                    charsmap = Base64.getEncoder().encodeToString(fields.bytes().toArray(ValueLayout.JAVA_BYTE));
                case 3 -> spacePrefix = fields.varint() != 0;
                case 4 -> mergeSpaces = fields.varint() != 0;
                case 5 -> escapeSpaces = fields.varint() != 0;
                default -> {}
            }
        }
    }

    private TokenizerData data() {
        if (pieces.isEmpty()) {
            throw malformed("holds no pieces");
        }
        if (model != UNIGRAM && model != BPE || suffix || !escapeSpaces) {
            throw new InvalidRequestException(
                    path,
                    "is a SentencePiece model of type %d%s%s, expected unigram (1) or BPE (2)"
                            .formatted(
                                    model,
                                    suffix ? " with spaces after words" : "",
                                    escapeSpaces ? "" : " with spaces as they are"),
                    "convert the tokenizer to a tokenizer.json");
        }
        if (!byteFallback) {
            // Pieces that look like bytes are then like others.
            types.replaceAll(type -> type == TokenType.BYTE ? TokenType.UNUSED : type);
        }
        Kind kind = model == BPE ? Kind.SENTENCE_PIECE : Kind.UNIGRAM;
        return new TokenizerData(
                kind,
                pieces,
                types,
                scores,
                kind == Kind.SENTENCE_PIECE ? SentencePieceMerges.of(pieces, types, scores) : List.of(),
                Optional.empty(),
                new Normalization(spacePrefix, mergeSpaces, charsmap, false, false),
                piece(unknown),
                piece(begin),
                piece(end),
                List.of());
    }

    /** Ids below 0 stand for none. */
    private OptionalInt piece(int id) {
        if (id >= pieces.size()) {
            throw malformed("names piece %d of %d".formatted(id, pieces.size()));
        }
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, ADVICE);
    }
}
