package dev.demitasse.infer.generate;

import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.InvalidRequestException;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.function.IntConsumer;

/** Continues a sequence of tokens until the model ends it or a limit is reached. */
public final class Generator {
    private final LanguageModel model;
    private final SamplingOptions options;

    public Generator(LanguageModel model, SamplingOptions options) {
        this.model = model;
        this.options = options;
    }

    /**
     * @param tokens what was generated, without prompt and end token
     * @param ended whether the model ended the text itself
     */
    public record Continuation(int[] tokens, boolean ended) {}

    /**
     * Appends up to {@code limit} tokens to {@code prompt}, each passed to {@code onToken} as it comes.
     *
     * @param prompt token ids, with bos if the model wants one; empty stands for bos alone
     * @throws InvalidRequestException if prompt and limit exceed the model's positions, or there is nothing to start from
     */
    public Continuation generate(int[] prompt, int limit, IntConsumer onToken) {
        int[] start = prompt.length == 0 ? bos() : prompt;
        int positions = model.config().maximumPositions();
        if (limit < 1 || start.length > positions - limit) {
            throw new InvalidRequestException(
                    "generation",
                    "%,d tokens after a prompt of %,d, for a model of %,d positions"
                            .formatted(limit, start.length, positions),
                    "ask for at least one token, and no more than fit after the prompt");
        }
        Sampler sampler = new Sampler(options);
        int[] generated = new int[limit];
        try (Session session = model.newSession(start.length + limit)) {
            float[] logits = session.forward(start, Logits.LAST);
            for (int count = 0; count < limit; count++) {
                int token = sampler.next(logits);
                if (model.config().specialTokens().eos().contains(token)) {
                    return new Continuation(Arrays.copyOf(generated, count), true);
                }
                generated[count] = token;
                onToken.accept(token);
                if (count + 1 < limit) {
                    logits = session.forward(new int[] {token}, Logits.LAST);
                }
            }
        }
        return new Continuation(generated, false);
    }

    private int[] bos() {
        OptionalInt bos = model.config().specialTokens().bos();
        if (bos.isEmpty()) {
            throw new InvalidRequestException(
                    "generation", "the prompt is empty and the model has no bos token", "give a prompt");
        }
        return new int[] {bos.getAsInt()};
    }
}
