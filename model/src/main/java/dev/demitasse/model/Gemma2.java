package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;

/** Gemma 2: norms before and after each block, soft caps, every other layer with a window (arXiv:2408.00118 §2). */
final class Gemma2 implements Family {
    /** The model whose scale goes by its hidden size instead of a head's: llama.cpp knows it by its layers. */
    private static final int LAYERS_OF_27B = 46;

    @Override
    public String id() {
        return "gemma2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Gemma2ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return layout(Llama.layout(config));
    }

    /** Adds the norms on both sides of each block. */
    static TensorNames layout(TensorNames names) {
        String layer = "model.layers.{i}.";
        return names.module(Role.ATTENTION_POST_NORM, layer + "post_attention_layernorm", "blk.{i}.post_attention_norm")
                .module(Role.FEED_FORWARD_NORM, layer + "pre_feedforward_layernorm", "blk.{i}.ffn_norm")
                .module(Role.FEED_FORWARD_POST_NORM, layer + "post_feedforward_layernorm", "blk.{i}.post_ffw_norm");
    }

    @Override
    public boolean unitOffset() {
        return true;
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Attention attention = Gemma.attention(json)
                .withScale(scale(json))
                .withSoftCap(json.optionalNumber("attn_logit_softcapping", 50));
        OptionalInt window = OptionalInt.of(json.size("sliding_window", 4096));
        IntUnaryOperator windows = ConfigKeys.windows(json, window, Gemma2::slides);
        return Gemma.near(this, json)
                .attention(layer -> attention.withSlidingWindow(windows.applyAsInt(layer)))
                .head(Head.plain(json.flag("tie_word_embeddings", true))
                        .withSoftCap(json.optionalNumber("final_logit_softcapping", 30)))
                .residual(Residual.SANDWICH_NORM)
                .build();
    }

    private static boolean slides(int layer) {
        return layer % 2 == 0;
    }

    /** 1/√query_pre_attn_scalar. */
    static double scale(ConfigJson json) {
        return 1 / Math.sqrt(json.number("query_pre_attn_scalar", 256));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return writeNear(config);
    }

    /** What Gemma 2 and 3 write alike. */
    static ObjectNode writeNear(ModelConfig config) {
        ObjectNode json = ConfigKeys.writeWindows(config, Gemma.writeNear(config));
        double scale = config.attention().scale();
        json.put("query_pre_attn_scalar", Math.rint(1 / (scale * scale) * 1e6) / 1e6);
        config.attention()
                .softCap()
                .ifPresentOrElse(
                        cap -> json.put("attn_logit_softcapping", cap), () -> json.putNull("attn_logit_softcapping"));
        config.head()
                .softCap()
                .ifPresentOrElse(
                        cap -> json.put("final_logit_softcapping", cap), () -> json.putNull("final_logit_softcapping"));
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("gemma2");
    }

    @Override
    public ModelConfig ggufForm(ModelConfig config) {
        return Gemma.ggufForm(config, LAYERS_OF_27B);
    }

    @Override
    public boolean windowsInGguf() {
        return true;
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        double scale = Gemma.ggufScale(
                keys.size("block_count") == LAYERS_OF_27B,
                keys.size("embedding_length"),
                keys.attentions().apply(0));
        IntFunction<Attention> attentions = keys.attentions(attention -> attention.withScale(scale));
        return Gemma.near(keys)
                .attention(layer -> slides(layer)
                        ? attentions.apply(layer)
                        : attentions.apply(layer).withSlidingWindow(Attention.FULL))
                .residual(Residual.SANDWICH_NORM)
                .build();
    }
}
