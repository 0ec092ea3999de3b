package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.InvalidRequestException;
import java.util.Random;

/**
 * How fast a model runs on this machine, now: the best of a few repetitions, after repetitions that let the JVM compile.
 *
 * @param promptTokens tokens taken in at once
 * @param prefillTokensPerSecond of taking in the prompt
 * @param newTokens tokens then taken in one by one
 * @param decodeTokensPerSecond of those
 */
public record Speed(int promptTokens, double prefillTokensPerSecond, int newTokens, double decodeTokensPerSecond) {
    private static final int MOST_REPETITIONS = 12;
    private static final int FEWEST_REPETITIONS = 2;
    private static final double SECONDS = 4;

    /**
     * Runs {@code model} on random tokens for about four seconds, or twice where that takes longer.
     *
     * @throws InvalidRequestException if the model has fewer positions than tokens are asked for
     */
    public static Speed measure(LanguageModel model, int promptTokens, int newTokens) {
        int positions = model.config().maximumPositions();
        if (promptTokens < 1 || newTokens < 1 || promptTokens > positions - newTokens) {
            throw new InvalidRequestException(
                    "speed",
                    "%,d prompt and %,d new tokens for a model of %,d positions"
                            .formatted(promptTokens, newTokens, positions),
                    "ask for at least one of each, and no more together than the model has positions");
        }
        int[] prompt = new Random(1)
                .ints(promptTokens, 0, model.config().vocabularySize())
                .toArray();
        double prefill = 0;
        double decode = 0;
        long start = System.nanoTime();
        for (int i = 0; i < MOST_REPETITIONS; i++) {
            if (i >= FEWEST_REPETITIONS && System.nanoTime() - start > SECONDS * 1e9) {
                break;
            }
            try (Session session = model.newSession(promptTokens + newTokens)) {
                long before = System.nanoTime();
                session.forward(prompt, Logits.LAST);
                long between = System.nanoTime();
                for (int token = 0; token < newTokens; token++) {
                    session.forward(new int[] {prompt[token % promptTokens]}, Logits.LAST);
                }
                long after = System.nanoTime();
                prefill = Math.max(prefill, 1e9 * promptTokens / (between - before));
                decode = Math.max(decode, 1e9 * newTokens / (after - between));
            }
        }
        return new Speed(promptTokens, prefill, newTokens, decode);
    }
}
