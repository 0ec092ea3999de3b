package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.KeptReference;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.progress.Progress;
import java.util.List;
import java.util.Map;

/** Runs a model with some of its weights rounded, from where they begin to matter. */
final class RoundedRuns {
    private final ModelConfig config;
    private final WeightSource weights;
    private final TokenWindows text;
    private final KeptReference exact;

    RoundedRuns(ModelConfig config, WeightSource weights, TokenWindows text, KeptReference exact) {
        this.config = config;
        this.weights = weights;
        this.text = text;
        this.exact = exact;
    }

    /**
     * How far the rounded model's predictions are from the exact one's.
     *
     * @param layer the first that computes otherwise; −1 if even the embedding does
     * @param streams what comes before that layer, for each window; left as they are
     */
    Divergence divergence(Map<TensorKey, RoundedTensor> rounded, int layer, ResidualStream[] streams) {
        ReplacedWeights replaced = new ReplacedWeights(weights);
        rounded.forEach((key, tensor) -> {
            replaced.put(key, tensor.weight());
            tensor.scale().ifPresent(scale -> replaced.put(key.part(Part.SCALE), scale));
        });
        try (Continued model = new Continued(CpuModel.of(config, replaced), layer, streams)) {
            return Evaluation.run(model, List.of(exact), text, Protocol.DEFAULT, Progress.SILENT)
                    .divergence()
                    .orElseThrow();
        }
    }

    /** Asked for the windows of the text one after another, it goes on from their hidden states. */
    private static final class Continued implements Scorer {
        private final CpuModel model;
        private final int layer;
        private final ResidualStream[] streams;
        private int next;

        Continued(CpuModel model, int layer, ResidualStream[] streams) {
            this.model = model;
            this.layer = layer;
            this.streams = streams;
        }

        @Override
        public ModelConfig config() {
            return model.config();
        }

        @Override
        public float[] logits(int[] window) {
            return layer < 0 ? model.logits(window) : model.logitsFrom(layer, streams[next++].copy());
        }

        @Override
        public void close() {
            model.close();
        }
    }
}
