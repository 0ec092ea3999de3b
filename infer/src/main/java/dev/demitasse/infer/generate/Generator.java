package dev.demitasse.infer.generate;

import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.InvalidRequestException;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.IntConsumer;

/**
 * Continues a sequence of tokens until the model ends it or a limit is reached; token by token, or several at a time where a
 * {@link Drafter} proposes them.
 */
public final class Generator {
    private final LanguageModel model;
    private final SamplingOptions options;
    private final Optional<Drafter> drafter;

    public Generator(LanguageModel model, SamplingOptions options) {
        this(model, options, Optional.empty());
    }

    /**
     * @param drafter proposes tokens, as long as that is faster; what is drawn is distributed as without it, and the same if the
     *     likeliest token is always taken
     */
    public Generator(LanguageModel model, SamplingOptions options, Optional<Drafter> drafter) {
        this.model = model;
        this.options = options;
        this.drafter = drafter.filter(any -> model.alikeTokens() > 1);
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
        try (Session session = model.newSession(start.length + limit)) {
            return new Text(session, start, limit, onToken).write();
        }
    }

    /** A text that is being written. */
    private final class Text {
        private final Session session;
        private final IntConsumer onToken;
        private final int start;
        private final int vocabulary = model.config().vocabularySize();
        private final Sampler sampler = new Sampler(options);
        private final SpeculationGauge gauge = new SpeculationGauge();
        private final int[] sequence;
        private int length;
        private boolean ended;

        Text(Session session, int[] start, int limit, IntConsumer onToken) {
            this.session = session;
            this.onToken = onToken;
            this.start = start.length;
            this.sequence = Arrays.copyOf(start, start.length + limit);
            this.length = start.length;
        }

        Continuation write() {
            float[] logits = session.forward(Arrays.copyOf(sequence, length), Logits.LAST);
            boolean more = append(sampler.draw(sampler.distribution(logits, 0, vocabulary)));
            while (more) {
                long before = System.nanoTime();
                int lengthBefore = length;
                boolean drafts = drafter.isPresent() && gauge.drafting();
                Drafter.Draft draft = drafts
                        ? drafter.get()
                                .draft(sequence, length, Math.min(model.alikeTokens(), sequence.length - length) - 1)
                        : Drafter.Draft.NONE;
                more = check(draft);
                gauge.step(length - lengthBefore, System.nanoTime() - before);
            }
            return new Continuation(Arrays.copyOfRange(sequence, start, length), ended);
        }

        /**
         * Runs the last token and those proposed after it, keeps of these as many as the model lets pass, and appends one of the
         * model's own (arXiv:2211.17192, algorithm 1).
         *
         * @return whether the text goes on
         */
        private boolean check(Drafter.Draft draft) {
            int[] proposed = draft.tokens();
            int before = length;
            int[] tokens = new int[1 + proposed.length];
            tokens[0] = sequence[before - 1];
            System.arraycopy(proposed, 0, tokens, 1, proposed.length);
            float[] logits = session.forward(tokens, proposed.length == 0 ? Logits.LAST : Logits.ALL);
            for (int i = 0; i < proposed.length; i++) {
                Distribution expected = sampler.distribution(logits, i * vocabulary, vocabulary);
                Distribution proposal = draft.proposal(i);
                double chance = expected.acceptance(proposed[i], proposal);
                boolean passes = chance == 1 || chance > 0 && sampler.chance() < chance;
                int next = passes ? proposed[i] : sampler.draw(expected.beyond(proposal));
                boolean more = append(next);
                if (!more || !passes) {
                    session.truncate(before + i);
                    return more;
                }
            }
            return append(sampler.draw(sampler.distribution(logits, proposed.length * vocabulary, vocabulary)));
        }

        /** Appends a token that the model has not seen yet; says whether another may follow. */
        private boolean append(int token) {
            if (model.config().specialTokens().eos().contains(token)) {
                ended = true;
                return false;
            }
            sequence[length++] = token;
            onToken.accept(token);
            return length < sequence.length;
        }
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
