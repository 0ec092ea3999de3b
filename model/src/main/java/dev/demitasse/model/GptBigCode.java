package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * GPT-BigCode: SantaCoder and the first StarCoder (arXiv:2305.06161 §5.1): GPT-2 with one key/value head that all query
 * heads share, or as many; matrices stored {@code [out, in]}.
 */
final class GptBigCode implements Family {
    private static final int POSITIONS = 1024;

    @Override
    public String id() {
        return "gpt_bigcode";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GPTBigCodeForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .optionalPrefix("transformer.")
                .module(Role.EMBEDDING, "transformer.wte", "token_embd")
                .module(Role.POSITION_EMBEDDING, "transformer.wpe", "position_embd")
                .module(Role.ATTENTION_NORM, "transformer.h.{i}.ln_1", "blk.{i}.attn_norm")
                .huggingFace(
                        Place.fused("transformer.h.{i}.attn.c_attn", Order.GROUPED, Role.QUERY, Role.KEY, Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.ATTENTION_OUTPUT, "transformer.h.{i}.attn.c_proj", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, "transformer.h.{i}.ln_2", "blk.{i}.ffn_norm")
                .module(Role.UP, "transformer.h.{i}.mlp.c_fc", "blk.{i}.ffn_up")
                .module(Role.DOWN, "transformer.h.{i}.mlp.c_proj", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "transformer.ln_f", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(GptKeys.NAMES);
        json.refuse("add_cross_attention", false);
        Attention all = GptKeys.attention(json).withBiases(Attention.PROJECTIONS);
        Attention shared = all.withHeads(all.heads(), json.flag("multi_query", true) ? 1 : all.heads());
        return GptKeys.near(this, json, POSITIONS, "gelu_pytorch_tanh", true)
                .embedding(GptKeys.learned(json, POSITIONS))
                .attention(json.flag("scale_attn_weights", true) ? shared : shared.withScale(1))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Attention attention = config.attention();
        return GptKeys.write(config, GptKeys.NAMES)
                .put("activation_function", ConfigKeys.name(config.feedForward().activation()))
                .put("multi_query", attention.keyValueHeads() == 1)
                .put("scale_attn_weights", attention.scale() == Attention.usualScale(attention.headDimension()))
                .put("attention_softmax_in_fp32", true)
                .put("scale_attention_softmax_in_fp32", true)
                .put("attn_pdrop", 0.1)
                .put("embd_pdrop", 0.1)
                .put("resid_pdrop", 0.1);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("starcoder");
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
