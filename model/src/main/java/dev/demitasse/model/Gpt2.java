package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntToDoubleFunction;

/**
 * GPT-2 and DistilGPT2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, §2.3): learned
 * positions, layer norms before each block, matrices stored {@code [in, out]}.
 */
final class Gpt2 implements Family {
    private static final int POSITIONS = 1024;

    @Override
    public String id() {
        return "gpt2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GPT2LMHeadModel");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .optionalPrefix("transformer.")
                .module(Role.EMBEDDING, "transformer.wte", "token_embd")
                .module(Role.POSITION_EMBEDDING, "transformer.wpe", "position_embd")
                .module(Role.ATTENTION_NORM, "transformer.h.{i}.ln_1", "blk.{i}.attn_norm")
                .huggingFace(Place.fusedTransposed(
                        "transformer.h.{i}.attn.c_attn", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.transposed("transformer.h.{i}.attn.c_proj"))
                .gguf(Role.ATTENTION_OUTPUT, Place.own("blk.{i}.attn_output"))
                .module(Role.FEED_FORWARD_NORM, "transformer.h.{i}.ln_2", "blk.{i}.ffn_norm")
                .huggingFace(Role.UP, Place.transposed("transformer.h.{i}.mlp.c_fc"))
                .gguf(Role.UP, Place.own("blk.{i}.ffn_up"))
                .huggingFace(Role.DOWN, Place.transposed("transformer.h.{i}.mlp.c_proj"))
                .gguf(Role.DOWN, Place.own("blk.{i}.ffn_down"))
                .module(Role.FINAL_NORM, "transformer.ln_f", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(GptKeys.NAMES);
        json.refuse("add_cross_attention", false);
        Attention attention = GptKeys.attention(json).withBiases(Attention.PROJECTIONS);
        IntToDoubleFunction scale = scale(
                attention.headDimension(),
                json.flag("scale_attn_weights", true),
                json.flag("scale_attn_by_inverse_layer_idx", false));
        return GptKeys.near(this, json, POSITIONS, "gelu_new", true)
                .embedding(GptKeys.learned(json, POSITIONS))
                .attention(layer -> attention.withScale(scale.applyAsDouble(layer)))
                .build();
    }

    private static IntToDoubleFunction scale(int headDimension, boolean scaled, boolean byLayer) {
        double first = scaled ? Attention.usualScale(headDimension) : 1;
        return layer -> byLayer ? first / (layer + 1) : first;
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Attention first = config.attention();
        return GptKeys.write(config, GptKeys.NAMES)
                .put("scale_attn_weights", first.scale() == Attention.usualScale(first.headDimension()))
                .put(
                        "scale_attn_by_inverse_layer_idx",
                        config.layers() > 1 && config.attention(1).scale() != first.scale())
                .put("reorder_and_upcast_attn", false)
                .put("attn_pdrop", 0.1)
                .put("embd_pdrop", 0.1)
                .put("resid_pdrop", 0.1)
                .putNull("summary_activation")
                .put("summary_first_dropout", 0.1)
                .put("summary_proj_to_labels", true)
                .put("summary_type", "cls_index")
                .put("summary_use_proj", true);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("gpt2");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.withoutGate(Activation.GELU_TANH).embedding(keys.learned()).build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        GgufKeys.refuseScales(config);
        return GgufKeys.write(config);
    }
}
