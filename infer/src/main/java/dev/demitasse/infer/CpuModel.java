package dev.demitasse.infer;

import dev.demitasse.infer.attention.LayerCache;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.format.ScalarFormat;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A whole model on the CPU. Weights stay mapped in the files they are in, unless kernels want them otherwise
 * ({@link CpuOptions#kernels}), which then take the place of the mapped ones in memory; sessions hold keys and values. Prefill and
 * decode are the same pass over more or fewer tokens. Of an encoder there are whole texts only, no sessions.
 */
public final class CpuModel implements LanguageModel, Scorer {
    private final ModelConfig config;
    private final WorkerPool workers;
    private final CpuOptions options;
    private final Embedding embedding;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final OutputHead head;
    private final Projections projections;
    /** Whether inputs are rounded by the range of all tokens together, as ONNX's DynamicQuantizeLinear does. */
    private final boolean roundsTogether;

    private final Runnable closeWeights;

    private CpuModel(
            ModelConfig config, Projections source, WorkerPool workers, CpuOptions options, Runnable closeWeights) {
        this.options = options;
        this.config = config;
        this.workers = workers;
        this.projections = source;
        this.roundsTogether = source.tensor(config.exampleProjection()).format() == ScalarFormat.I8;
        this.closeWeights = closeWeights;
        this.embedding = Embedding.load(config, source, workers);
        SharedTables tables = new SharedTables();
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(DecoderLayer.load(config, source, layer, workers, tables));
        }
        this.head = OutputHead.load(config, source, workers);
    }

    /** Opens a checkpoint folder, a GGUF or an ONNX file; closing the model closes it. */
    public static CpuModel open(Path path) throws IOException {
        return open(path, CpuOptions.usual());
    }

    /** Opens a checkpoint folder, a GGUF or an ONNX file, to be run as {@code options} say; closing the model closes it. */
    public static CpuModel open(Path path, CpuOptions options) throws IOException {
        Checkpoint checkpoint = Checkpoint.open(path);
        try {
            return load(checkpoint.config(), WeightSource.of(checkpoint), options, checkpoint::close);
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    /** A model over {@code checkpoint}, which stays the caller's to close, after the model. */
    public static CpuModel of(Checkpoint checkpoint) {
        return of(checkpoint, CpuOptions.usual());
    }

    /** A model over {@code checkpoint}, which stays the caller's to close, after the model, run as {@code options} say. */
    public static CpuModel of(Checkpoint checkpoint, CpuOptions options) {
        return load(checkpoint.config(), WeightSource.of(checkpoint), options, () -> {});
    }

    /** A model over weights from anywhere. */
    public static CpuModel of(ModelConfig config, WeightSource source) {
        return load(config, source, CpuOptions.usual(), () -> {});
    }

    private static CpuModel load(ModelConfig config, WeightSource source, CpuOptions options, Runnable closeWeights) {
        WorkerPool workers = new WorkerPool(options.threads(), options.pinned());
        Projections projections = new Projections(config, source, options.kernels(), workers);
        try {
            return new CpuModel(config, projections, workers, options, closeWeights);
        } catch (RuntimeException | OutOfMemoryError e) {
            projections.close();
            workers.close();
            throw e;
        }
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    /** @throws InvalidRequestException if the model is an encoder, whose tokens see those after them */
    @Override
    public Session newSession(int capacity) {
        if (!config.causal()) {
            throw new InvalidRequestException(
                    config.family().id(), "is an encoder, which cannot continue a text", "name a decoder");
        }
        return new CpuSession(this, newCaches(capacity));
    }

    @Override
    public int alikeTokens() {
        return roundsTogether ? 1 : Linear.FEW_TOKENS;
    }

    @Override
    public float[] logits(int[] window) {
        if (window.length == 0) {
            throw noTokens();
        }
        return head.logits(run(TokenInput.of(window), null), window.length);
    }

    /**
     * Logits {@code [tokens, vocabularySize]} of a whole text that has come through the layers before {@code layer}.
     *
     * @param stream is used up
     */
    public float[] logitsFrom(int layer, ResidualStream stream) {
        for (int next = layer; next < layers.size(); next++) {
            advance(next, stream, ActivationListener.NONE);
        }
        return head.logits(stream.hidden(), stream.tokens());
    }

    /** Puts the residual stream of a whole text through one layer. */
    public void advance(int layer, ResidualStream stream, ActivationListener listener) {
        DecoderLayer next = layers.get(layer);
        next.forward(stream, next.newCache(stream.tokens()), listener);
    }

    /** A forward pass over a text with what it computed on the way. */
    public Trace trace(int[] window) {
        return trace(TokenInput.of(window));
    }

    /**
     * A forward pass over a text with what it computed on the way.
     *
     * @throws InvalidRequestException if none of the tokens is attended to, or the model is a decoder and has no use for
     *     padding
     */
    public Trace trace(TokenInput input) {
        List<float[]> states = new ArrayList<>();
        float[] last = run(input, states);
        float[] normed = head.normalize(last, input.length());
        states.set(states.size() - 1, normed);
        return new Trace(head.project(normed, input.length()), states, last);
    }

    /**
     * @param logits {@code [tokens, vocabularySize]}
     * @param hiddenStates {@code layers + 1} of {@code [tokens, hiddenSize]}: the embeddings, then each layer's output, the
     *     last after the final norm, as transformers' output_hidden_states
     * @param lastBlockOutput the last layer's output before the final norm, {@code [tokens, hiddenSize]}
     */
    public record Trace(float[] logits, List<float[]> hiddenStates, float[] lastBlockOutput) {}

    private List<LayerCache> newCaches(int capacity) {
        return layers.stream()
                .map(layer -> layer.newCache(capacity, options.cache()))
                .toList();
    }

    /** Logits of {@code tokens}, which follow those in {@code caches}. */
    float[] forward(int[] tokens, List<LayerCache> caches, Logits keep) {
        float[] hidden = embedding.lookup(tokens, caches.getFirst().position());
        ResidualStream stream = ResidualStream.of(hidden, tokens.length);
        for (int layer = 0; layer < layers.size(); layer++) {
            layers.get(layer).forward(stream, caches.get(layer), ActivationListener.NONE);
        }
        return switch (keep) {
            case ALL -> head.logits(hidden, tokens.length);
            case LAST -> {
                int width = config.hiddenSize();
                yield head.logits(Arrays.copyOfRange(hidden, hidden.length - width, hidden.length), 1);
            }
        };
    }

    /**
     * The last layer's output for a whole text, each layer's keys and values forgotten at once.
     *
     * @param states where to add the embeddings and every layer's output, if anywhere
     */
    private float[] run(TokenInput input, @Nullable List<float[]> states) {
        float[] hidden = embedding.lookup(input);
        ResidualStream stream = input.attended()
                .map(attended -> ResidualStream.of(hidden, padded(attended)))
                .orElseGet(() -> ResidualStream.of(hidden, input.length()));
        if (states != null) {
            states.add(hidden.clone());
        }
        for (DecoderLayer layer : layers) {
            layer.forward(stream, layer.newCache(input.length()), ActivationListener.NONE);
            if (states != null) {
                states.add(hidden.clone());
            }
        }
        return hidden;
    }

    private boolean[] padded(boolean[] attended) {
        boolean any = false;
        boolean all = true;
        for (boolean each : attended) {
            any |= each;
            all &= each;
        }
        if (!any || config.causal() && !all) {
            throw new InvalidRequestException(
                    "attention mask",
                    any ? "has padding, but the model is a decoder" : "leaves no token to attend to",
                    "give tokens without padding");
        }
        return attended;
    }

    static InvalidRequestException noTokens() {
        return new InvalidRequestException("forward pass", "has no tokens", "give at least one");
    }

    /** Threads that work at a forward pass. */
    public int threads() {
        return workers.threads();
    }

    @Override
    public void close() {
        workers.close();
        projections.close();
        closeWeights.run();
    }
}
