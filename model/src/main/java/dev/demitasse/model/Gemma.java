package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Gemma: embeddings times √hidden_size, norm weights around 0, GeGLU (arXiv:2403.08295 §2). */
final class Gemma implements Family {
    @Override
    public String id() {
        return "gemma";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GemmaForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public boolean unitOffset() {
        return true;
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return near(this, json).attention(attention(json)).build();
    }

    /** What all Gemmas share; attention is left to say. */
    static ModelConfigBuilder near(Family family, ConfigJson json) {
        int hiddenSize = json.size("hidden_size");
        // Gemma 1 says "gelu" under hidden_act and means the other key's default.
        Activation activation = ConfigKeys.activation(json, "hidden_activation", "gelu_pytorch_tanh");
        return ConfigKeys.sizes(family, json, true)
                .embedding(embedding(hiddenSize))
                .feedForward(FeedForward.gated(json.size("intermediate_size"), activation))
                .positions(ConfigKeys.rotary(family, json, headDimension(json)))
                .norm(new Norm.Rms(json.number("rms_norm_eps", 1e-6), true))
                .maximumPositions(json.size("max_position_embeddings", 8192));
    }

    static InputEmbedding embedding(int hiddenSize) {
        return InputEmbedding.plain(hiddenSize).withScale(Math.sqrt(hiddenSize));
    }

    private static int headDimension(ConfigJson json) {
        return json.size("head_dim", 256);
    }

    static Attention attention(ConfigJson json) {
        int heads = json.size("num_attention_heads");
        return Attention.of(heads, json.size("num_key_value_heads", heads), headDimension(json))
                .withBiases(ConfigKeys.biases(json, false));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return writeNear(config);
    }

    static ObjectNode writeNear(ModelConfig config) {
        return ConfigKeys.write(config, Map.of("hidden_act", "hidden_activation"))
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config));
    }

    /**
     * The form of GGUF: llama.cpp knows which scale attention has in Gemma 2 and 3, no file tells it; what a model has
     * otherwise goes into its queries.
     *
     * @param layersOfLargest by which llama.cpp knows the model whose scale goes by hidden size and heads
     */
    static ModelConfig ggufForm(ModelConfig config, int layersOfLargest) {
        double scale = ggufScale(config.layers() == layersOfLargest, config.hiddenSize(), config.attention());
        return config.inForm(config.family().ggufPairing(), false)
                .withEachBlock(block -> block.withAttention(block.attention().withScale(scale)));
    }

    static double ggufScale(boolean largest, int hiddenSize, Attention attention) {
        return Attention.usualScale(largest ? hiddenSize / attention.heads() : attention.headDimension());
    }

    /** What GGUF leaves unsaid of all Gemmas. */
    static ModelConfigBuilder near(GgufKeys keys) {
        return keys.config()
                .embedding(embedding(keys.size("embedding_length")))
                .feedForward(keys.feedForwards(Activation.GELU_TANH, true));
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("gemma");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return near(new GgufKeys(this, metadata)).build();
    }
}
