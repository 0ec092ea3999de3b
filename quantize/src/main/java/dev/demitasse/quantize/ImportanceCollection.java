package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Experts;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.gguf.ImportanceMatrix;
import dev.demitasse.model.gguf.ImportanceMatrix.Sums;
import dev.demitasse.model.progress.Progress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Collects what llama-imatrix collects: the sum of squares of every input of every projection in the model as it is, window
 * by window. As there each window's first token gives way to bos, if the model has one: what the first position draws is
 * large in some models. Weights stay where they are; of activations one window's are held.
 */
public final class ImportanceCollection implements ActivationListener {
    private final Checkpoint source;
    private final ModelConfig config;
    private final Map<TensorKey, Accumulator> inputs = new LinkedHashMap<>();

    private ImportanceCollection(Checkpoint source) {
        this.source = source;
        this.config = source.config();
    }

    /** Sums of one input. */
    private static final class Accumulator {
        private final double[] squares;
        private long tokens;

        Accumulator(int width) {
            this.squares = new double[width];
        }

        void add(float[] input, int count) {
            int width = squares.length;
            for (int token = 0; token < count; token++) {
                for (int i = 0; i < width; i++) {
                    double value = input[token * width + i];
                    squares[i] += value * value;
                }
            }
            tokens += count;
        }
    }

    /**
     * @param dataset what the calibration text is called in the file
     * @throws InvalidRequestException if llama.cpp has no names for the model's tensors
     * @throws MalformedModelException if activations are not finite
     */
    public static ImportanceMatrix collect(
            Checkpoint source, TokenWindows calibration, String dataset, Progress progress) {
        if (source.config().family().ggufArchitecture().isEmpty()) {
            throw new InvalidRequestException(
                    source.path(),
                    "is of the family %s, which llama.cpp does not have"
                            .formatted(source.config().family().id()),
                    "quantize it with calibration text instead");
        }
        ImportanceCollection collection = new ImportanceCollection(source);
        progress.begin("collecting importance", calibration.count(), "windows");
        for (int window = 0; window < calibration.count(); window++) {
            collection.run(Protocol.LLAMACPP.prepare(calibration.window(window), source.config()));
            progress.advance(1);
        }
        progress.end();
        return ImportanceMatrix.of(List.of(dataset), calibration.count(), calibration.length(), collection.entries());
    }

    private void run(int[] ids) {
        WeightSource weights = WeightSource.of(source);
        float[] hidden = new float[Math.multiplyExact(ids.length, config.hiddenSize())];
        Embedding.lookup(config, weights, ids, hidden);
        for (int layer = 0; layer < config.layers(); layer++) {
            DecoderLayer decoder = DecoderLayer.load(config, weights, layer);
            decoder.forward(hidden, ids.length, decoder.newCache(ids.length), this);
        }
    }

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        inputs.computeIfAbsent(projection, key -> new Accumulator(width)).add(input, tokens);
    }

    private Map<String, Sums> entries() {
        Map<String, Sums> entries = new LinkedHashMap<>();
        inputs.forEach((told, sums) -> {
            for (Role role : sharing(told.role())) {
                TensorKey key = new TensorKey(role, told.part(), told.layer(), told.expert());
                if (config.has(key)) {
                    String name = config.names().gguf(key).getFirst().name();
                    add(entries.computeIfAbsent(name, absent -> room(told, sums.squares.length)), told, sums);
                }
            }
        });
        return entries;
    }

    /** The projections that see what the first of them is told of. */
    private static List<Role> sharing(Role told) {
        return switch (told) {
            case QUERY -> List.of(Role.QUERY, Role.KEY, Role.VALUE);
            case GATE -> List.of(Role.GATE, Role.UP);
            case EXPERT_GATE -> List.of(Role.EXPERT_GATE, Role.EXPERT_UP);
            case SHARED_GATE -> List.of(Role.SHARED_GATE, Role.SHARED_UP);
            default -> List.of(told);
        };
    }

    private Sums room(TensorKey key, int width) {
        int matrices = key.role().perExpert()
                ? config.feedForward(key.layer()).experts().map(Experts::count).orElseThrow()
                : 1;
        return new Sums(new float[Math.multiplyExact(matrices, width)], new float[matrices]);
    }

    private void add(Sums entry, TensorKey key, Accumulator sums) {
        int matrix = Math.max(0, key.expert());
        int width = sums.squares.length;
        entry.counts()[matrix] = sums.tokens;
        for (int i = 0; i < width; i++) {
            float square = (float) sums.squares[i];
            if (!Float.isFinite(square)) {
                throw new MalformedModelException(
                        source.path(),
                        "what enters %s is not finite".formatted(config.name(key)),
                        "its weights are broken; fetch the model again");
            }
            entry.squares()[matrix * width + i] = square;
        }
    }
}
