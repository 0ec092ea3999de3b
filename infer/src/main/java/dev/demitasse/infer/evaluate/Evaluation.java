package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Scores a model on a text, alone or beside references. All see a window, its scores are added up, its logits are
 * forgotten: of the text two numbers a token and reference are kept.
 */
public final class Evaluation {
    private Evaluation() {}

    /**
     * Scores {@code model}, beside {@code reference} if there is one, which is run too.
     *
     * @throws InvalidRequestException as {@link #run(Scorer, List, Optional, TokenWindows, Protocol, Progress)}
     * @throws MalformedModelException as that
     */
    public static Quality run(
            Scorer model,
            Optional<? extends Scorer> reference,
            TokenWindows test,
            Protocol protocol,
            Progress progress) {
        return run(model, reference.stream().map(Reference::of).toList(), test, protocol, progress);
    }

    /** Scores {@code model} beside {@code references}. */
    public static Quality run(
            Scorer model, List<Reference> references, TokenWindows test, Protocol protocol, Progress progress) {
        try {
            return run(model, references, Optional.empty(), test, protocol, progress);
        } catch (IOException e) {
            throw new IllegalStateException("nothing was to be written", e);
        }
    }

    /**
     * Scores {@code model} beside {@code references} and keeps its predictions.
     *
     * @param model what is judged
     * @param references what it is compared with token by token
     * @param keeper is told its predictions; the caller commits it
     * @throws InvalidRequestException if the windows are too short to score or longer than a model's positions, or the
     *     models have vocabularies of different sizes
     * @throws MalformedModelException if a model gives logits that are no numbers
     */
    public static Quality run(
            Scorer model,
            List<Reference> references,
            Optional<ReferenceWriter> keeper,
            TokenWindows test,
            Protocol protocol,
            Progress progress)
            throws IOException {
        check(model, test, protocol);
        references.forEach(reference -> {
            reference.check(model.config(), test, protocol);
            checkVocabularies(model.config().vocabularySize(), reference.vocabularySize());
        });
        int firstScored = protocol.firstScored(test.length());
        Tally tally = new Tally(model.config().vocabularySize(), references.size());
        progress.begin("scoring", (long) test.count() * test.length(), "tokens");
        for (int i = 0; i < test.count(); i++) {
            int index = i;
            int[] window = protocol.prepare(test.window(i), model.config());
            float[] logits = model.logits(window);
            tally.add(
                    window,
                    firstScored,
                    logits,
                    references.stream()
                            .map(reference -> reference.expect(index, window))
                            .toList());
            if (!Double.isFinite(tally.nll())) {
                throw new MalformedModelException(
                        model.config().family().id() + " model",
                        "its logits for window " + i + " are not finite",
                        "look for infinities or NaN in its weights");
            }
            if (keeper.isPresent()) {
                keeper.get().add(window, logits);
            }
            progress.advance(test.length());
            progress.note(String.format(Locale.ROOT, "perplexity %.3f", Math.exp(tally.nll())));
        }
        progress.end();
        return tally.quality(test.bytes(firstScored));
    }

    static void check(Scorer model, TokenWindows test, Protocol protocol) {
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

    private static void checkVocabularies(int ours, int theirs) {
        if (ours != theirs) {
            throw new InvalidRequestException(
                    "evaluation",
                    "the model has a vocabulary of %,d tokens, the reference one of %,d".formatted(ours, theirs),
                    "compare models with the same tokenizer");
        }
    }
}
