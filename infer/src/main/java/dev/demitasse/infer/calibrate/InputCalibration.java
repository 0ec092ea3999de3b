package dev.demitasse.infer.calibrate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.OutputHead;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.progress.Progress;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs a model over a text and fixes by what its projections' inputs, and its head's, are to be rounded to 8 bits: one range
 * for each input, whatever tokens come. Of inputs that several weights read there is one, all experts' together
 * ({@link ModelConfig#input}).
 */
public final class InputCalibration implements ActivationListener {
    private final ModelConfig config;
    private final Map<TensorKey, Histogram> seen = new HashMap<>();

    private InputCalibration(ModelConfig config) {
        this.config = config;
    }

    /** @throws MalformedModelException if the model computes what is no number */
    public static Map<TensorKey, InputQuantization> run(
            Checkpoint source, TokenWindows text, RangeChoice choice, Progress progress) {
        InputCalibration calibration = new InputCalibration(source.config());
        progress.begin("calibrating", (long) text.count() * text.length(), "tokens");
        try (CpuModel model = CpuModel.of(source)) {
            WeightSource weights = WeightSource.of(source);
            OutputHead head = OutputHead.load(source.config(), weights);
            for (int window = 0; window < text.count(); window++) {
                calibration.look(model, head, weights, text.window(window));
                progress.advance(text.length());
            }
        }
        progress.end();
        Map<TensorKey, InputQuantization> chosen = new HashMap<>();
        calibration.seen.forEach((key, values) -> chosen.put(key, choice.choose(values)));
        return chosen;
    }

    private void look(CpuModel model, OutputHead head, WeightSource weights, int[] window) {
        float[] hidden = new float[Math.multiplyExact(window.length, config.hiddenSize())];
        Embedding.lookup(config, weights, window, hidden);
        ResidualStream stream = ResidualStream.of(hidden, window.length);
        for (int layer = 0; layer < config.layers(); layer++) {
            model.advance(layer, stream, this);
        }
        if (config.embedding().width() == config.hiddenSize()) {
            float[] normed = head.normalize(stream.hidden(), window.length);
            onInput(TensorKey.weight(Role.HEAD), normed, window.length, config.hiddenSize());
        }
    }

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        Histogram values = seen.computeIfAbsent(config.input(projection), missing -> new Histogram());
        values.add(input, tokens * width);
        if (!Float.isFinite(values.least()) || !Float.isFinite(values.greatest())) {
            throw new MalformedModelException(
                    config.family().id() + " model",
                    "what enters " + config.name(projection) + " is not finite",
                    "look for infinities or NaN in its weights");
        }
    }
}
