package dev.demitasse.distill;

import dev.demitasse.distill.loss.CrossEntropy;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerData;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** What a model is asked about a text: a decoder the next token, an encoder those that were hidden. */
sealed interface LanguageTask permits LanguageTask.NextToken, TokenMasking {
    /** What tokens that stand for hidden ones are called: BERT's name, RoBERTa's. */
    List<String> MASKS = List.of("[MASK]", "<mask>");

    /**
     * Windows as the model gets them, and what it should say.
     *
     * @param ids {@code [B, T]}
     * @param labels {@code [B · T]}, {@link CrossEntropy#NO_LABEL} where nothing is asked
     */
    record Exercise(int[][] ids, long[] labels) {
        /** How many tokens are asked for. */
        long questions() {
            return java.util.Arrays.stream(labels)
                    .filter(label -> label != CrossEntropy.NO_LABEL)
                    .count();
        }
    }

    /** @param first the number of the first window; the same windows with the same numbers make the same exercise */
    Exercise pose(int[][] windows, long first);

    /** Every token from those before it. */
    record NextToken() implements LanguageTask {
        @Override
        public Exercise pose(int[][] windows, long first) {
            return new Exercise(windows, CrossEntropy.nextTokens(windows));
        }
    }

    /**
     * What {@code config}'s models are trained for.
     *
     * @throws InvalidRequestException if it is an encoder and no tokenizer tells what hides a token
     */
    static LanguageTask of(ModelConfig config, Optional<Tokenizer> tokenizer, long seed) {
        if (config.causal()) {
            return new NextToken();
        }
        TokenizerData data = tokenizer
                .orElseThrow(() -> new InvalidRequestException(
                        "student",
                        "an encoder learns to find hidden tokens, but there is no tokenizer to tell the one that hides",
                        "put the model's tokenizer.json beside it"))
                .data();
        int mask = MASKS.stream()
                .mapToInt(data.tokens()::indexOf)
                .filter(id -> id >= 0 && id < config.vocabularySize())
                .findFirst()
                .orElseThrow(() -> new InvalidRequestException(
                        "student",
                        "an encoder learns to find hidden tokens, but the tokenizer has none of " + MASKS,
                        "take the tokenizer that the encoder was made with"));
        List<Integer> special = IntStream.range(0, data.tokens().size())
                .filter(id -> data.types().get(id) == TokenType.CONTROL)
                .boxed()
                .toList();
        return new TokenMasking(mask, special, config.vocabularySize(), seed);
    }
}
