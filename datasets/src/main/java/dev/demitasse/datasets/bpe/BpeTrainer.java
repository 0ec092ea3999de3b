package dev.demitasse.datasets.bpe;

import dev.demitasse.datasets.bpe.Merges.Pair;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Makes a byte-level BPE tokenizer from text (merges: Sennrich et al., ACL 2016, algorithm 1; bytes and words: GPT-2),
 * the same one that Hugging Face's tokenizers would train: ids are first {@link #BEGIN} and {@link #END}, then the 256
 * bytes, then the merges in order. Any text can be encoded, and decodes to itself.
 */
public final class BpeTrainer {
    /** Id 0; the tokenizer puts it before a text. */
    public static final String BEGIN = "<|begin|>";

    /** Id 1. */
    public static final String END = "<|end|>";

    /** The two special tokens and the bytes. */
    public static final int SMALLEST = 258;

    /** A pair seen once says nothing about the text to come. */
    private static final long MINIMUM_COUNT = 2;

    private final ByteAlphabet alphabet = new ByteAlphabet();
    private final List<String> tokens = new ArrayList<>(List.of(BEGIN, END));
    private final Map<String, Integer> ids = new HashMap<>();
    private final List<Pair> merges = new ArrayList<>();

    private BpeTrainer() {
        for (char character : alphabet.sorted()) {
            add(String.valueOf(character));
        }
    }

    /**
     * A tokenizer of exactly {@code vocabularySize} tokens.
     *
     * @param documents what to learn the words of; read once, not closed
     */
    public static Tokenizer train(Stream<String> documents, int vocabularySize, Progress progress) {
        if (vocabularySize < SMALLEST) {
            throw new InvalidRequestException(
                    "vocabulary size",
                    "must be at least %d (%d bytes and 2 special tokens), is %d"
                            .formatted(SMALLEST, SMALLEST - 2, vocabularySize),
                    "take 1024 or more");
        }
        WordCounts words = new WordCounts();
        documents.forEach(words::add);
        BpeTrainer trainer = new BpeTrainer();
        trainer.learn(words, vocabularySize, progress);
        return Tokenizer.ofJson(Path.of("tokenizer.json"), TokenizerJson.write(trainer.tokens, trainer.merges));
    }

    private void learn(WordCounts counted, int vocabularySize, Progress progress) {
        progress.begin("learning tokens", vocabularySize - tokens.size(), "tokens");
        Merges words = merges(counted);
        while (tokens.size() < vocabularySize) {
            Optional<Pair> best = words.next(MINIMUM_COUNT);
            if (best.isEmpty()) {
                throw new InvalidRequestException(
                        "vocabulary size",
                        "%,d tokens were asked for, the text (%,d different words) has pairs for %,d"
                                .formatted(vocabularySize, counted.size(), tokens.size()),
                        "ask for no more than that, or give more text");
            }
            Pair pair = best.get();
            words.merge(pair, add(tokens.get(pair.left()) + tokens.get(pair.right())));
            merges.add(pair);
            progress.advance(1);
        }
        progress.end();
    }

    private Merges merges(WordCounts counted) {
        int[][] words = new int[counted.size()][];
        long[] counts = new long[counted.size()];
        int[] next = {0};
        counted.forEach((word, count) -> {
            words[next[0]] = alphabet.write(word)
                    .chars()
                    .map(character -> ids.getOrDefault(String.valueOf((char) character), -1))
                    .toArray();
            counts[next[0]++] = count;
        });
        return new Merges(words, counts);
    }

    /** The id of {@code token}, a new one unless two ways of merging lead to the same token. */
    private int add(String token) {
        Integer known = ids.putIfAbsent(token, tokens.size());
        if (known != null) {
            return known;
        }
        tokens.add(token);
        return tokens.size() - 1;
    }
}
