package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Finds the tokenizer in a Hugging Face folder: its tokenizer.json; without one, what transformers would make one of
 * (convert_slow_tokenizer.py): SentencePiece's tokenizer.model, GPT-2's vocab.json with merges.txt, BERT's vocab.txt.
 * tokenizer_config.json says what those leave open.
 */
public final class TokenizerFolder {
    private final Path folder;
    private final TokenizerConfig config;

    private TokenizerFolder(Path folder, TokenizerConfig config) {
        this.folder = folder;
        this.config = config;
    }

    /**
     * The folder's tokenizer, if it has one.
     *
     * @throws MalformedModelException if a file of it is broken
     * @throws InvalidRequestException if it is of a kind that Demitasse does not know
     */
    public static Optional<Tokenizer> read(Path folder) throws IOException {
        TokenizerFolder reader = new TokenizerFolder(folder, TokenizerConfig.read(folder));
        Optional<Tokenizer> tokenizer = reader.tokenizer();
        return tokenizer.isEmpty()
                ? tokenizer
                : Optional.of(tokenizer.get().withChatTemplate(reader.config.chatTemplate(folder)));
    }

    private Optional<Tokenizer> tokenizer() throws IOException {
        if (Files.exists(folder.resolve("tokenizer.json"))) {
            return Optional.of(Tokenizer.read(folder.resolve("tokenizer.json")));
        }
        if (Files.exists(folder.resolve("tokenizer.model"))) {
            return Optional.of(sentencePiece(folder.resolve("tokenizer.model")));
        }
        if (Files.exists(folder.resolve("vocab.json")) && Files.exists(folder.resolve("merges.txt"))) {
            return Optional.of(byteLevel());
        }
        if (Files.exists(folder.resolve("vocab.txt"))) {
            return Optional.of(wordPiece());
        }
        return Optional.empty();
    }

    private Tokenizer sentencePiece(Path file) throws IOException {
        TokenizerData data = config.with(SentencePieceModel.read(file));
        String name = config.tokenizerClass();
        boolean unigram = data.kind() == Kind.UNIGRAM;
        boolean encoder = name.startsWith("T5") || name.startsWith("MT5") || name.isEmpty() && unigram;
        OptionalInt begin = config.id("bos_token", data.tokens());
        OptionalInt end = config.id("eos_token", data.tokens());
        return tokenizer(
                file,
                data.withEnds(
                        config.flag("add_bos_token", !unigram)
                                ? begin.isPresent() ? begin : data.begin()
                                : OptionalInt.empty(),
                        config.flag("add_eos_token", encoder)
                                ? end.isPresent() ? end : data.end()
                                : OptionalInt.empty()));
    }

    private Tokenizer byteLevel() throws IOException {
        Path file = folder.resolve("vocab.json");
        String name = config.tokenizerClass();
        PreTokenizer pre = switch (name) {
            case "", "GPT2Tokenizer", "CodeGenTokenizer", "RobertaTokenizer", "BartTokenizer" -> PreTokenizer.GPT2;
            case "Qwen2Tokenizer" -> PreTokenizer.QWEN2;
            default ->
                throw new InvalidRequestException(
                        folder,
                        "has vocab.json and merges.txt of a " + name + ", whose rules they do not say",
                        "put the model's tokenizer.json there");
        };
        JsonNode vocabulary = TokenizerConfig.object(file);
        List<String> tokens = new ArrayList<>();
        List<TokenType> types = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : vocabulary.properties()) {
            JsonNode id = entry.getValue();
            if (!id.isInt() || id.intValue() < 0 || id.intValue() > TokenizerJson.largestId(vocabulary.size())) {
                throw new MalformedModelException(file, "has the impossible token id " + id, "fetch it again");
            }
            while (tokens.size() <= id.intValue()) {
                tokens.add("[PAD" + tokens.size() + "]");
                types.add(TokenType.UNUSED);
            }
            tokens.set(id.intValue(), entry.getKey());
            types.set(id.intValue(), TokenType.NORMAL);
        }
        TokenizerData data = config.with(new TokenizerData(
                Kind.BYTE_LEVEL,
                tokens,
                types,
                List.of(),
                merges(folder.resolve("merges.txt")),
                Optional.of(pre),
                Normalization.NONE,
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                List.of()));
        boolean around = name.equals("RobertaTokenizer") || name.equals("BartTokenizer");
        return tokenizer(
                file,
                data.withEnds(
                        end("bos_token", "add_bos_token", around, data),
                        end("eos_token", "add_eos_token", around, data)));
    }

    private OptionalInt end(String token, String flag, boolean otherwise, TokenizerData data) {
        return config.flag(flag, otherwise) ? config.id(token, data.tokens()) : OptionalInt.empty();
    }

    private static List<Merge> merges(Path file) throws IOException {
        List<Merge> merges = new ArrayList<>();
        for (String line : lines(file)) {
            int space = line.indexOf(' ');
            boolean comment = line.startsWith("#version");
            if (comment || line.isEmpty()) {
                continue;
            }
            if (space < 1 || space == line.length() - 1) {
                throw new MalformedModelException(
                        file, "holds '" + line + "', expected two tokens and a space between", "fetch it again");
            }
            merges.add(new Merge(line.substring(0, space), line.substring(space + 1)));
        }
        return merges;
    }

    private Tokenizer wordPiece() throws IOException {
        Path file = folder.resolve("vocab.txt");
        List<String> tokens = lines(file);
        boolean lowercase = config.flag("do_lower_case", true);
        List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.NORMAL));
        int unknown = tokens.indexOf(config.token("unk_token").orElse("[UNK]"));
        for (String special : List.of("[PAD]", "[CLS]", "[SEP]", "[MASK]")) {
            if (tokens.contains(special)) {
                types.set(tokens.indexOf(special), TokenType.CONTROL);
            }
        }
        if (unknown < 0) {
            throw new MalformedModelException(file, "has no token for what is unknown", "fetch it again");
        }
        types.set(unknown, TokenType.UNKNOWN);
        TokenizerData data = config.with(new TokenizerData(
                Kind.WORD_PIECE,
                tokens,
                types,
                List.of(),
                List.of(),
                Optional.empty(),
                new Normalization(false, false, "", lowercase, config.flag("strip_accents", lowercase)),
                OptionalInt.of(unknown),
                OptionalInt.empty(),
                OptionalInt.empty(),
                List.of()));
        int begin = data.tokens().indexOf(config.token("cls_token").orElse("[CLS]"));
        int end = data.tokens().indexOf(config.token("sep_token").orElse("[SEP]"));
        return tokenizer(
                file,
                data.withEnds(
                        begin < 0 ? OptionalInt.empty() : OptionalInt.of(begin),
                        end < 0 ? OptionalInt.empty() : OptionalInt.of(end)));
    }

    /** Lines as Python's text files have them: nothing but line feeds and carriage returns ends one. */
    private static List<String> lines(Path file) throws IOException {
        String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        List<String> lines = new ArrayList<>(List.of(text.split("\r\n|\n|\r", -1)));
        if (lines.getLast().isEmpty()) {
            lines.removeLast();
        }
        return lines;
    }

    private static Tokenizer tokenizer(Path file, TokenizerData data) {
        return Tokenizer.ofJson(file, data.toJson());
    }
}
