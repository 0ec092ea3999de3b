package dev.demitasse.model.gguf;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Block;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.Head;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.files.OnDemand;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A model in one GGUF file. Rows of q and k stay in GGUF's order, which {@link ModelConfig#positions} says; what metadata
 * does not tell (biases, a tied head, frequency factors) is read off the tensors that are there.
 */
public final class GgufCheckpoint implements Checkpoint {
    /** Divisors of the rotary frequencies: how llama.cpp stores Llama 3.1's scaling. */
    public static final String FREQUENCY_FACTORS = "rope_freqs.weight";

    /** Divisors of the rotary frequencies in sequences up to the original context, and in longer ones (LongRoPE). */
    public static final String SHORT_FACTORS = "rope_factors_short.weight";

    public static final String LONG_FACTORS = "rope_factors_long.weight";

    private final GgufFile file;
    private final ModelConfig config;
    private final TensorNames names;
    private final OnDemand<Optional<Tokenizer>> tokenizer;

    private GgufCheckpoint(GgufFile file, ModelConfig config) {
        this.file = file;
        this.config = config;
        this.names = config.names();
        this.tokenizer = new OnDemand<>(() -> GgufTokenizer.read(file.metadata()));
    }

    /**
     * @throws dev.demitasse.model.InvalidRequestException if there is no such file, or it has tensors of a type that
     *     Demitasse does not read
     * @throws MalformedModelException if it is broken, or a tensor is missing or of the wrong shape
     */
    public static GgufCheckpoint open(Path path) throws IOException {
        GgufFile file = GgufFile.open(path);
        try {
            GgufCheckpoint checkpoint = new GgufCheckpoint(file, config(file));
            checkpoint.config.tensors().forEach(checkpoint::format);
            return checkpoint;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    private static ModelConfig config(GgufFile file) {
        ModelConfig read = Families.read(file.metadata());
        ModelConfig said = read.family().completed(read, file.tensors()::containsKey);
        TensorNames names = said.names();
        List<Block> blocks = new ArrayList<>();
        for (int layer = 0; layer < said.layers(); layer++) {
            blocks.add(detected(file, names, said, layer));
        }
        ModelConfig config = said.withBlocks(blocks);
        Set<Role> biases = EnumSet.noneOf(Role.class);
        for (Role role : Attention.PROJECTIONS) {
            if (exists(file, names, TensorKey.bias(role, 0))) {
                biases.add(role);
            }
        }
        boolean feedForwardBias =
                config.feedForward().experts().isEmpty() && exists(file, names, TensorKey.bias(Role.DOWN, 0));
        Head head = config.head()
                .withTied(!exists(file, names, TensorKey.weight(Role.HEAD)))
                .withBias(exists(file, names, TensorKey.weight(Role.HEAD).part(Part.BIAS)));
        ModelConfig found = config.withHead(head)
                .withNorm(norm(file, config))
                .withEachBlock(block -> block.withAttention(block.attention().withBiases(biases))
                        .withFeedForward(
                                block.feedForward().experts().isPresent()
                                        ? block.feedForward()
                                        : block.feedForward().withBias(feedForwardBias)));
        try {
            return withFrequencyFactors(file, found);
        } catch (IllegalArgumentException e) {
            throw new MalformedModelException(
                    file.path(), "rope factors: " + e.getMessage(), "the file was written wrongly", e);
        }
    }

    /** What metadata does not tell of a layer: norms of queries and keys, whether it has experts. */
    private static Block detected(GgufFile file, TensorNames names, ModelConfig config, int layer) {
        Block block = config.blocks().get(layer);
        if (block.attention().queryKeyNorm().isPresent()
                && !exists(file, names, TensorKey.weight(Role.QUERY_NORM, layer))) {
            block = block.withAttention(block.attention().withQueryKeyNorm(Optional.empty()));
        }
        if (block.feedForward().experts().isPresent() && !exists(file, names, TensorKey.weight(Role.ROUTER, layer))) {
            int size = Families.feedForwardSize(file.metadata(), config, layer);
            block = block.withFeedForward(
                    FeedForward.gated(size, block.feedForward().activation()));
        }
        return block;
    }

    /** Layer norms have weights and biases where the last one has. */
    private static Norm norm(GgufFile file, ModelConfig config) {
        TensorKey weight = TensorKey.weight(Role.FINAL_NORM);
        return switch (config.norm()) {
            case Norm.Rms rms -> rms;
            case Norm.Layer layer ->
                new Norm.Layer(
                        layer.epsilon(),
                        exists(file, config.names(), weight),
                        exists(file, config.names(), weight.part(Part.BIAS)));
        };
    }

    private static boolean exists(GgufFile file, TensorNames names, TensorKey key) {
        return names.gguf(key).stream().allMatch(piece -> file.tensors().containsKey(piece.name()));
    }

    private static ModelConfig withFrequencyFactors(GgufFile file, ModelConfig config) {
        if (!(config.positions() instanceof Rotary rotary)) {
            return config;
        }
        if (file.tensors().containsKey(FREQUENCY_FACTORS)) {
            return config.withPositions(
                    rotary.withScaling(new RopeScaling.Factors(doubles(file.tensor(FREQUENCY_FACTORS)))));
        }
        if (file.tensors().containsKey(LONG_FACTORS) && file.tensors().containsKey(SHORT_FACTORS)) {
            return config.withPositions(rotary.withScaling(Families.longRope(
                    file.metadata(), config, doubles(file.tensor(SHORT_FACTORS)), doubles(file.tensor(LONG_FACTORS)))));
        }
        return config;
    }

    private static List<Double> doubles(Tensor tensor) {
        List<Double> values = new ArrayList<>();
        for (float value : tensor.toFloats()) {
            values.add((double) value);
        }
        return values;
    }

    /** The file itself: its metadata, and tensors by their GGUF names. */
    public GgufFile file() {
        return file;
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public boolean has(TensorKey key) {
        return !key.part().beside() && config.has(key);
    }

    @Override
    public Tensor tensor(TensorKey key) {
        TensorKey own = config.stored(key);
        List<Piece> pieces = names.gguf(own);
        return Pieces.gather(pieces.getFirst().name(), config.shape(own), pieces, this::stored);
    }

    @Override
    public TensorFormat format(TensorKey key) {
        List<Piece> pieces = names.gguf(config.stored(key));
        return Pieces.format(pieces.getFirst().name(), pieces, this::stored);
    }

    private Tensor stored(Piece piece) {
        Tensor tensor = file.tensor(piece.name());
        if (!Arrays.equals(withoutOnes(tensor.shape()), withoutOnes(piece.shape()))) {
            throw malformed("tensor '%s' is %s, the metadata asks for %s"
                    .formatted(tensor.name(), Arrays.toString(tensor.shape()), Arrays.toString(piece.shape())));
        }
        boolean weight = tensor.format() instanceof BlockFormat
                || tensor.format() instanceof ScalarFormat scalar && scalar.floating();
        if (!weight) {
            throw malformed("tensor '%s' is %s, not a weight"
                    .formatted(tensor.name(), tensor.format().id()));
        }
        return tensor;
    }

    /** GGUF leaves out, or not, outer dimensions of 1. */
    private static long[] withoutOnes(long[] shape) {
        return Arrays.stream(shape).filter(size -> size != 1).toArray();
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path(), problem, "the file was written wrongly; fetch it again");
    }

    @Override
    public Optional<Tokenizer> tokenizer() {
        return tokenizer.get();
    }

    @Override
    public long fileBytes() throws IOException {
        return Files.size(path());
    }

    @Override
    public void close() {
        file.close();
    }
}
