package dev.demitasse.model.gguf;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Families;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
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

    private final GgufFile file;
    private final ModelConfig config;
    private final OnDemand<Optional<Tokenizer>> tokenizer;

    private GgufCheckpoint(GgufFile file, ModelConfig config) {
        this.file = file;
        this.config = config;
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
            checkpoint.config.tensors().forEach(checkpoint::tensor);
            return checkpoint;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    private static ModelConfig config(GgufFile file) {
        ModelConfig config = Families.read(file.metadata());
        TensorNames names = config.family().names();
        Set<Role> biases = EnumSet.noneOf(Role.class);
        for (Role role : Role.values()) {
            if (role.projection() && file.tensors().containsKey(names.gguf(TensorKey.bias(role, 0)))) {
                biases.add(role);
            }
        }
        Set<Role> feedForward = EnumSet.of(Role.GATE, Role.UP, Role.DOWN);
        boolean feedForwardBias = biases.removeAll(feedForward);
        Attention attention = config.attention().withBiases(biases);
        boolean tied = !file.tensors().containsKey(names.gguf(TensorKey.weight(Role.HEAD)));
        config = config.withAttention(attention)
                .withFeedForward(config.feedForward().withBias(feedForwardBias))
                .withTiedHead(tied);
        if (file.tensors().containsKey(FREQUENCY_FACTORS) && config.positions() instanceof Rotary rotary) {
            try {
                return config.withPositions(rotary.withScaling(factors(file)));
            } catch (IllegalArgumentException e) {
                throw new MalformedModelException(
                        file.path(), FREQUENCY_FACTORS + ": " + e.getMessage(), "the file was written wrongly", e);
            }
        }
        return config;
    }

    private static RopeScaling factors(GgufFile file) {
        List<Double> factors = new ArrayList<>();
        for (float factor : file.tensor(FREQUENCY_FACTORS).toFloats()) {
            factors.add((double) factor);
        }
        return new RopeScaling.Factors(factors);
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
        return key.part() != Part.SCALE
                && file.tensors().containsKey(config.family().names().gguf(key));
    }

    @Override
    public Tensor tensor(TensorKey key) {
        if (key.role() == Role.HEAD && config.tiedHead()) {
            return tensor(new TensorKey(Role.EMBEDDING, key.part(), key.layer()));
        }
        Tensor tensor = file.tensor(config.family().names().gguf(key));
        long[] shape = config.shape(key);
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw malformed("tensor '%s' is %s, the metadata asks for %s"
                    .formatted(tensor.name(), Arrays.toString(tensor.shape()), Arrays.toString(shape)));
        }
        boolean weight = tensor.format() instanceof BlockFormat
                || tensor.format() instanceof ScalarFormat scalar && scalar.floating();
        if (!weight) {
            throw malformed("tensor '%s' is %s, not a weight"
                    .formatted(tensor.name(), tensor.format().id()));
        }
        return tensor;
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
