package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Set;

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

    /** The names of its tensors. */
    TensorNames names();

    /** The {@code general.architecture} of its GGUF files, and the prefix of their keys. */
    String ggufArchitecture();

    /** Reads GGUF metadata. */
    ModelConfig readGguf(GgufMetadata metadata);

    /** GGUF metadata of the architecture: keys under {@link #ggufArchitecture}, Integer, Float or String values. */
    Map<String, Object> writeGguf(ModelConfig config);
}
