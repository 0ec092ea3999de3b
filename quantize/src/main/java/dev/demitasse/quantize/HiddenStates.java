package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * The residual stream of all calibration windows between two layers or halves of one:
 * {@code windows × [length, hiddenSize]}. The first windows are in memory, those that do not fit in a file: what was read is
 * to be written back where it changed. Used by one thread.
 */
final class HiddenStates implements AutoCloseable {
    private final int length;
    private final int count;
    private final int numbers;
    private final StateStore store;
    private final long windowBytes;
    private final ResidualStream[] inMemory;
    /** The other windows: of each its hidden states and, if {@link #kept}, what its feed-forward block is to read. */
    private final Optional<SpillFile> file;

    private final boolean[] kept;

    private HiddenStates(int length, int count, int width, boolean parallel, StateStore store) throws IOException {
        this.length = length;
        this.count = count;
        this.numbers = Math.multiplyExact(length, width);
        int arrays = parallel ? 2 : 1;
        this.store = store;
        this.windowBytes = arrays * (long) numbers * Float.BYTES;
        this.inMemory = new ResidualStream[store.inMemory(count, windowBytes)];
        int spilled = count - inMemory.length;
        this.kept = new boolean[spilled];
        this.file = spilled == 0
                ? Optional.empty()
                : Optional.of(SpillFile.temporary(store.folder(), Math.multiplyExact(arrays, spilled), numbers));
    }

    /** What enters the first layer. */
    static HiddenStates embed(ModelConfig config, WeightSource source, TokenWindows tokens, StateStore store)
            throws IOException {
        boolean parallel = config.residual().parallel();
        HiddenStates states = new HiddenStates(tokens.length(), tokens.count(), config.hiddenSize(), parallel, store);
        try {
            for (int window = 0; window < states.count; window++) {
                float[] hidden = new float[states.numbers];
                Embedding.lookup(config, source, tokens.window(window), hidden);
                states.write(window, ResidualStream.of(hidden, states.length));
            }
            return states;
        } catch (RuntimeException e) {
            states.close();
            throw e;
        }
    }

    int count() {
        return count;
    }

    /** Tokens in a window. */
    int length() {
        return length;
    }

    /** A window's states {@code [length, hiddenSize]}; changes count once they are {@linkplain #write written}. */
    ResidualStream read(int window) {
        if (window < inMemory.length) {
            return inMemory[window];
        }
        SpillFile spilled = file.orElseThrow();
        int index = window - inMemory.length;
        float[] hidden = spilled.read(index);
        return ResidualStream.of(
                hidden, length, kept[index] ? Optional.of(spilled.read(kept.length + index)) : Optional.empty());
    }

    void write(int window, ResidualStream stream) {
        if (window < inMemory.length) {
            inMemory[window] = stream;
            return;
        }
        SpillFile spilled = file.orElseThrow();
        int index = window - inMemory.length;
        spilled.write(index, stream.hidden());
        kept[index] = stream.kept().isPresent();
        stream.kept().ifPresent(input -> spilled.write(kept.length + index, input));
    }

    /** Writes all windows, which are between two layers, to a new file; returns the CRC-32C of it. */
    long save(Path folder, String name) throws IOException {
        CRC32C checksum = new CRC32C();
        try (SpillFile copy = SpillFile.create(folder, name, count, numbers)) {
            for (int window = 0; window < count; window++) {
                copy.write(window, read(window).hidden());
                copy.addTo(checksum);
            }
        }
        return checksum.getValue();
    }

    /** Takes all windows from a file that {@link #save} wrote. */
    void load(Path path) throws IOException {
        try (SpillFile copy = SpillFile.open(path, numbers)) {
            for (int window = 0; window < count; window++) {
                write(window, ResidualStream.of(copy.read(window), length));
            }
        }
    }

    /** Puts every window through a layer's feed-forward block. */
    void feedForward(DecoderLayer layer) {
        for (int window = 0; window < count; window++) {
            ResidualStream stream = read(window);
            layer.feedForward(stream, ActivationListener.NONE);
            write(window, stream);
        }
    }

    /** Gives memory and file up. */
    @Override
    public void close() throws IOException {
        Arrays.fill(inMemory, null);
        store.giveBack(inMemory.length * windowBytes);
        if (file.isPresent()) {
            file.get().close();
        }
    }

    /** The two blocks of a layer, each with an input of its own and one inside, which the last projection sees. */
    enum Half {
        ATTENTION {
            @Override
            float[] input(DecoderLayer layer, ResidualStream stream) {
                return layer.attentionInput(stream);
            }

            @Override
            float[] inner(DecoderLayer layer, ResidualStream stream) {
                return layer.attentionContext(stream, layer.newCache(stream.tokens()), ActivationListener.NONE);
            }

            @Override
            void complete(DecoderLayer layer, ResidualStream stream, float[] inner) {
                layer.addAttention(stream, inner);
            }
        },
        FEED_FORWARD {
            @Override
            float[] input(DecoderLayer layer, ResidualStream stream) {
                return layer.feedForwardInput(stream);
            }

            @Override
            float[] inner(DecoderLayer layer, ResidualStream stream) {
                return layer.neurons(stream, ActivationListener.NONE);
            }

            @Override
            void complete(DecoderLayer layer, ResidualStream stream, float[] inner) {
                layer.addNeurons(stream, inner);
            }
        };

        /** What the block's first projections see; for reading. */
        abstract float[] input(DecoderLayer layer, ResidualStream stream);

        /** What the block's last projection sees of a stream, which is left as it is until {@link #complete}. */
        abstract float[] inner(DecoderLayer layer, ResidualStream stream);

        /** Adds the last projection of {@code inner} to the stream. */
        abstract void complete(DecoderLayer layer, ResidualStream stream, float[] inner);
    }
}
