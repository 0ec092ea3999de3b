package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.ModelConfig;

/** A model that is run beside the one that is judged. */
final class ModelReference extends Reference {
    private final Scorer model;

    ModelReference(Scorer model) {
        this.model = model;
    }

    @Override
    int vocabularySize() {
        return model.config().vocabularySize();
    }

    @Override
    void check(ModelConfig judged, TokenWindows test, Protocol protocol) {
        Evaluation.check(model, test, protocol);
    }

    @Override
    Expectations expect(int index, int[] window) {
        float[] logits = model.logits(window);
        int vocabulary = vocabularySize();
        return (position, right, judged, at, total) -> {
            int start = position * vocabulary;
            double ourTotal = LogitRows.logSumExp(logits, start, vocabulary);
            return Comparison.exact(
                    LogitRows.divergence(logits, start, ourTotal, judged, at, total, vocabulary),
                    logits[start + right] - ourTotal,
                    LogitRows.mostLikely(logits, start, vocabulary) == LogitRows.mostLikely(judged, at, vocabulary));
        };
    }
}
