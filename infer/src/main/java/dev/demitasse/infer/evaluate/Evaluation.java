package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.progress.Progress;
import java.util.Locale;
import java.util.Optional;

/**
 * Scores a model on a text, alone or beside a reference. Both see a window, its scores are added up, its logits are
 * forgotten: memory does not grow with the text.
 */
public final class Evaluation {
    private Evaluation() {}

    /**
     * @param model what is judged
     * @param reference what it is compared with token by token, if anything
     * @throws InvalidRequestException if the windows are too short to score or longer than a model's positions, or the two
     *     models have vocabularies of different sizes
     * @throws MalformedModelException if a model gives logits that are no numbers
     */
    public static Quality run(
            Scorer model, Optional<Scorer> reference, TokenWindows test, Protocol protocol, Progress progress) {
        check(model, test, protocol);
        reference.ifPresent(other -> {
            check(other, test, protocol);
            checkVocabularies(model, other);
        });
        int firstScored = protocol.firstScored(test.length());
        Tally tally = new Tally(model.config().vocabularySize());
        progress.begin("scoring", (long) test.count() * test.length(), "tokens");
        for (int i = 0; i < test.count(); i++) {
            int[] window = protocol.prepare(test.window(i), model.config());
            tally.add(window, firstScored, model.logits(window), reference.map(other -> other.logits(window)));
            if (!Double.isFinite(tally.nll())) {
                throw new MalformedModelException(
                        model.config().family().id() + " model",
                        "its logits for window " + i + " are not finite",
                        "look for infinities or NaN in its weights");
            }
            progress.advance(test.length());
            progress.note(String.format(Locale.ROOT, "perplexity %.3f", Math.exp(tally.nll())));
        }
        progress.end();
        return tally.quality(test.bytes(firstScored));
    }

    private static void check(Scorer model, TokenWindows test, Protocol protocol) {
        int length = test.length();
        if (protocol.firstScored(length) >= length) {
            throw new InvalidRequestException(
                    "evaluation", "windows of " + length + " tokens leave none to score", "use longer windows");
        }
        if (length > model.config().maximumPositions()) {
            throw new InvalidRequestException(
                    "evaluation",
                    "windows of %,d tokens are longer than the %,d positions of the model"
                            .formatted(length, model.config().maximumPositions()),
                    "use shorter windows");
        }
    }

    private static void checkVocabularies(Scorer model, Scorer reference) {
        int ours = model.config().vocabularySize();
        int theirs = reference.config().vocabularySize();
        if (ours != theirs) {
            throw new InvalidRequestException(
                    "evaluation",
                    "the model has a vocabulary of %,d tokens, the reference one of %,d".formatted(ours, theirs),
                    "compare models with the same tokenizer");
        }
    }
}
