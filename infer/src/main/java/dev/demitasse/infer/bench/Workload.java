package dev.demitasse.infer.bench;

import dev.demitasse.model.InvalidRequestException;
import java.util.Locale;

/**
 * What is timed.
 *
 * @param kind what is done
 * @param tokens with how many tokens
 * @param depth after how many others, whose taking in is not timed
 */
public record Workload(Kind kind, int tokens, int depth) {
    /** What a model does. */
    public enum Kind {
        /** Takes in tokens at once. */
        PREFILL("pp"),
        /** Takes in tokens one by one, as when it writes. */
        DECODE("tg"),
        /** Scores a window of tokens, as for perplexity. */
        SCORE("ppl");

        private final String prefix;

        Kind(String prefix) {
            this.prefix = prefix;
        }
    }

    public Workload {
        int least = kind == Kind.SCORE ? 2 : 1;
        if (tokens < least || depth < 0 || (long) tokens + depth > Integer.MAX_VALUE) {
            throw new InvalidRequestException(
                    "benchmark",
                    "of %,d tokens after %,d".formatted(tokens, depth),
                    "give at least %d, after none or some".formatted(least));
        }
    }

    /** As llama-bench calls it: pp512, tg128, tg128 @ d4096. */
    public String name() {
        return kind.prefix + tokens + (depth == 0 ? "" : String.format(Locale.ROOT, " @ d%d", depth));
    }
}
