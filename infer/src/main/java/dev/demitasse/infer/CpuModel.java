package dev.demitasse.infer;

import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A whole decoder on the CPU. Weights stay mapped in the files they are in; sessions hold keys and values. Prefill and
 * decode are the same pass over more or fewer tokens.
 */
public final class CpuModel implements LanguageModel, Scorer {
    private final ModelConfig config;
    private final WeightSource source;
    private final WorkerPool workers;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final OutputHead head;
    private final Runnable closeWeights;

    private CpuModel(ModelConfig config, WeightSource source, WorkerPool workers, Runnable closeWeights) {
        this.config = config;
        this.source = source;
        this.workers = workers;
        this.closeWeights = closeWeights;
        RotaryTable rotary = DecoderLayer.rotaryTable(config);
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(DecoderLayer.load(config, source, layer, workers, rotary));
        }
        this.head = OutputHead.load(config, source, workers);
    }

    /** Opens a checkpoint folder, a GGUF or an ONNX file; closing the model closes it. */
    public static CpuModel open(Path path) throws IOException {
        Checkpoint checkpoint = Checkpoint.open(path);
        try {
            return load(checkpoint.config(), WeightSource.of(checkpoint), checkpoint::close);
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    /** A model over {@code checkpoint}, which stays the caller's to close, after the model. */
    public static CpuModel of(Checkpoint checkpoint) {
        return of(checkpoint.config(), WeightSource.of(checkpoint));
    }

    /** A model over weights from anywhere. */
    public static CpuModel of(ModelConfig config, WeightSource source) {
        return load(config, source, () -> {});
    }

    private static CpuModel load(ModelConfig config, WeightSource source, Runnable closeWeights) {
        WorkerPool workers = WorkerPool.ofCores();
        try {
            return new CpuModel(config, source, workers, closeWeights);
        } catch (RuntimeException e) {
            workers.close();
            throw e;
        }
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Session newSession(int capacity) {
        return new CpuSession(this, newCaches(capacity));
    }

    @Override
    public float[] logits(int[] window) {
        try (Session session = newSession(window.length)) {
            return session.forward(window, Logits.ALL);
        }
    }

    /** A forward pass with what it computed on the way. */
    public Trace trace(int[] window) {
        List<float[]> states = new ArrayList<>();
        float[] normed = head.normalize(run(window, newCaches(window.length), states), window.length);
        states.set(states.size() - 1, normed);
        return new Trace(head.project(normed, window.length), states);
    }

    /**
     * @param logits {@code [tokens, vocabularySize]}
     * @param hiddenStates {@code layers + 1} of {@code [tokens, hiddenSize]}: the embeddings, then each layer's output, the
     *     last after the final norm, as transformers' output_hidden_states
     */
    public record Trace(float[] logits, List<float[]> hiddenStates) {}

    private List<LayerCache> newCaches(int capacity) {
        List<LayerCache> caches = new ArrayList<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            caches.add(LayerCache.create(config, capacity));
        }
        return caches;
    }

    float[] forward(int[] tokens, List<LayerCache> caches, Logits keep) {
        float[] hidden = run(tokens, caches, null);
        return switch (keep) {
            case ALL -> head.logits(hidden, tokens.length);
            case LAST -> {
                int width = config.hiddenSize();
                yield head.logits(Arrays.copyOfRange(hidden, hidden.length - width, hidden.length), 1);
            }
        };
    }

    private float[] run(int[] tokens, List<LayerCache> caches, @Nullable List<float[]> states) {
        float[] hidden = new float[Math.multiplyExact(tokens.length, config.hiddenSize())];
        Embedding.lookup(config, source, tokens, hidden);
        if (states != null) {
            states.add(hidden.clone());
        }
        for (int layer = 0; layer < layers.size(); layer++) {
            layers.get(layer).forward(hidden, tokens.length, caches.get(layer), ActivationListener.NONE);
            if (states != null) {
                states.add(hidden.clone());
            }
        }
        return hidden;
    }

    /** Threads that work at a forward pass. */
    public int threads() {
        return workers.threads();
    }

    @Override
    public void close() {
        workers.close();
        closeWeights.run();
    }
}
