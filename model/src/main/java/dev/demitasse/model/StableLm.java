package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** StableLM 1 and 2: layer norms, a quarter of each head rotates (huggingface.co/stabilityai/stablelm-2-1_6b). */
final class StableLm implements Family {
    @Override
    public String id() {
        return "stablelm";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("StableLmForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String attention = "model.layers.{i}.self_attn.";
        return Llama.layout(config)
                .huggingFace(Role.QUERY_NORM, new Place.EachHead(attention + "q_layernorm.norms.{h}"))
                .gguf(Role.QUERY_NORM, Place.own("blk.{i}.attn_q_norm"))
                .huggingFace(Role.KEY_NORM, new Place.EachHead(attention + "k_layernorm.norms.{h}"))
                .gguf(Role.KEY_NORM, Place.own("blk.{i}.attn_k_norm"));
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        double epsilon = json.number("layer_norm_eps", 1e-5);
        Attention attention = ConfigKeys.attention(json)
                .withBiases(json.flag("use_qkv_bias", false) ? Qwen2.BIASES : Set.of())
                .withQueryKeyNorm(json.flag("qk_layernorm", false) ? queryKeyNorm(epsilon) : Optional.empty());
        return Llama.near(this, json)
                .attention(attention)
                .positions(ConfigKeys.partialRotary(this, json, attention.headDimension(), 0.25))
                .norm(new Norm.Layer(epsilon))
                .residual(json.flag("use_parallel_residual", false) ? Residual.PARALLEL : Residual.PRE_NORM)
                .maximumPositions(json.size("max_position_embeddings", 4096))
                .build();
    }

    private static Optional<QueryKeyNorm> queryKeyNorm(double epsilon) {
        return Optional.of(new QueryKeyNorm(new Norm.Layer(epsilon, true, false), Scope.EACH_HEAD));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.writePartialRotary(config, ConfigKeys.write(config, Map.of()))
                .put("use_qkv_bias", !config.attention().biases().isEmpty())
                .put("qk_layernorm", config.attention().queryKeyNorm().isPresent())
                .put("use_parallel_residual", config.residual() == Residual.PARALLEL);
        json.remove("head_dim");
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("stablelm");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.config()
                .attention(keys.attentions(attention ->
                        attention.withQueryKeyNorm(queryKeyNorm(keys.norm().epsilon()))))
                .residual(keys.flag("use_parallel_residual", true) ? Residual.PARALLEL : Residual.PRE_NORM)
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = GgufKeys.write(config);
        values.put("stablelm.use_parallel_residual", config.residual() == Residual.PARALLEL);
        return values;
    }
}
