package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A family of architectures: how its config.json and its GGUF metadata read into a {@link ModelConfig} and back, and
 * what its tensors are called in both. The only place that knows.
 */
public interface Family {
    /** What recipes, reports and config.json's {@code model_type} call it. */
    String id();

    /** The {@code architectures} of config.json that it covers; the first is the one written. */
    Set<String> architectures();

    /** Reads config.json. */
    ModelConfig read(ConfigJson json);

    /** config.json as transformers would save it, but for {@code torch_dtype}. */
    ObjectNode write(ModelConfig config);

    /** Where its tensors stand in files. */
    TensorNames names(ModelConfig config);

    /** How rotary pairs stand in Hugging Face checkpoints. */
    default Pairing pairing() {
        return Pairing.HALVES;
    }

    /** Whether RMS norms' weights stand less 1 in Hugging Face checkpoints. */
    default boolean unitOffset() {
        return false;
    }

    /** How rotary pairs stand in GGUF files. */
    default Pairing ggufPairing() {
        return pairing();
    }

    /** The {@code general.architecture} of its GGUF files and the prefix of their keys, where GGUF has the family. */
    default Optional<String> ggufArchitecture() {
        return Optional.empty();
    }

    /** {@code config} with its tensors as GGUF files of the family hold them. */
    default ModelConfig ggufForm(ModelConfig config) {
        return config.inForm(ggufPairing(), false);
    }

    /** Why llama.cpp, which knows the architecture, will not open or not equal a GGUF file of this model; mostly nothing. */
    default Optional<String> beyondLlamaCpp(ModelConfig config) {
        return Optional.empty();
    }

    /** Whether llama.cpp honours the windows of attention that GGUF files of the family tell. */
    default boolean windowsInGguf() {
        return false;
    }

    /** Reads GGUF metadata of {@link #ggufArchitecture}; what the keys that architectures share tell, if that is all. */
    default ModelConfig readGguf(GgufMetadata metadata) {
        return new GgufKeys(this, metadata).config().build();
    }

    /**
     * What {@link #readGguf} gave, with what only the presence of tensors tells.
     *
     * @param tensors whether the file has a tensor of a name
     */
    default ModelConfig completed(ModelConfig config, Predicate<String> tensors) {
        return config;
    }

    /** GGUF metadata of the architecture: keys under {@link #ggufArchitecture}, Integer, Float, Boolean, String or lists of them. */
    default Map<String, Object> writeGguf(ModelConfig config) {
        return GgufKeys.write(config);
    }
}
