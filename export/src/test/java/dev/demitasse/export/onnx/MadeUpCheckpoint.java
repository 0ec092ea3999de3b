package dev.demitasse.export.onnx;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Family;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;

/** A model of any form with seeded random weights, in memory. */
final class MadeUpCheckpoint implements Checkpoint {
    private final ModelConfig config;
    private final Map<TensorKey, Tensor> tensors = new HashMap<>();

    MadeUpCheckpoint(ModelConfig config, long seed) {
        this.config = config;
        Random random = new Random(seed);
        for (TensorKey key : config.tensors()) {
            tensors.put(key, made(key, random));
        }
    }

    /** Weights that keep the size of what goes through them, norms near 1. */
    private Tensor made(TensorKey key, Random random) {
        long[] shape = config.shape(key);
        float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
        boolean norm = key.role().norm() && key.part() == Part.WEIGHT;
        double middle = norm && !config.norm(key).unitOffset() ? 1 : 0;
        boolean table = key.role().matrix() && key.part() == Part.WEIGHT;
        double spread = table ? 1 / Math.sqrt(key.role() == Role.EMBEDDING ? 4 : config.columns(key)) : 0.2;
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (middle + spread * random.nextGaussian());
        }
        return Tensor.ofFloats(config.name(key), values, shape);
    }

    /** The same with INT8 projections, embedding and head, a scale to each output. */
    MadeUpCheckpoint rounded() {
        MadeUpCheckpoint rounded = new MadeUpCheckpoint(config, 0);
        rounded.tensors.putAll(tensors);
        for (TensorKey key : config.tensors()) {
            if (key.role().quantized() && key.part() == Part.WEIGHT) {
                rounded.round(key, tensors.get(key));
            }
        }
        return rounded;
    }

    private void round(TensorKey key, Tensor weight) {
        Tensor codes = Tensor.allocate(weight.name(), ScalarFormat.I8, weight.shape());
        float[] values = weight.toFloats();
        float[] scales = new float[weight.rows()];
        int columns = weight.columns();
        for (int row = 0; row < scales.length; row++) {
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                scales[row] = Math.max(scales[row], Math.abs(values[i]) / 127);
            }
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                codes.data().set(ValueLayout.JAVA_BYTE, i, (byte) Math.round(values[i] / scales[row]));
            }
        }
        tensors.put(key, codes);
        tensors.put(key.part(Part.SCALE), Tensor.ofFloats(config.name(key.part(Part.SCALE)), scales, scales.length));
    }

    @Override
    public Path path() {
        return Path.of("made-up");
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public boolean has(TensorKey key) {
        return tensors.containsKey(key);
    }

    @Override
    public TensorFormat format(TensorKey key) {
        return tensor(key).format();
    }

    @Override
    public Tensor tensor(TensorKey key) {
        if (key.role() == Role.HEAD && key.part() != Part.BIAS && config.tiedHead()) {
            return tensor(new TensorKey(Role.EMBEDDING, key.part(), key.layer()));
        }
        return tensors.get(key);
    }

    @Override
    public Optional<Tokenizer> tokenizer() {
        return Optional.empty();
    }

    @Override
    public long fileBytes() {
        return 0;
    }

    @Override
    public void close() {}

    /** Names for every role, and a form of tensors to choose. */
    record AnyFamily(Pairing pairing, boolean unitOffset) implements Family {
        @Override
        public String id() {
            return "any";
        }

        @Override
        public Set<String> architectures() {
            return Set.of();
        }

        @Override
        public ModelConfig read(ConfigJson json) {
            throw new IllegalStateException("it has no files");
        }

        @Override
        public ObjectNode write(ModelConfig config) {
            return JsonNodeFactory.instance.objectNode();
        }

        @Override
        public TensorNames names(ModelConfig config) {
            TensorNames names = new TensorNames(config);
            for (Role role : Role.values()) {
                String place = role.perExpert() ? "{i}.{e}." : role.perLayer() ? "{i}." : "";
                names.module(role, place + role.name().toLowerCase(Locale.ROOT), "none");
            }
            return names;
        }
    }
}
