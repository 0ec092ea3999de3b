package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Falcon (arXiv:2311.16867 §4): the 7B model has one key/value head, and one norm before attention and feed-forward block
 * side by side; those after it have several and mostly two norms; Falcon-RW has ALiBi, biases, and its blocks one after the
 * other.
 *
 * <p>ALiBi counts once, as the models were trained and as transformers' default attention has it. Its eager attention adds
 * the bias a second time, by the mask (4.45 to 5.17, FalconModel).
 */
final class Falcon implements Family {
    private static final int POSITIONS = 2048;
    private static final Positions.Alibi ALIBI = new Positions.Alibi(8, true);
    private static final Map<String, String> NAMES = Map.of(
            "intermediate_size", "ffn_hidden_size",
            "hidden_act", "activation",
            "layer_norm_eps", "layer_norm_epsilon");

    @Override
    public String id() {
        return "falcon";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("FalconForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String layer = "transformer.h.{i}.";
        boolean twoNorms = config.residual() == Residual.PARALLEL_TWO_NORMS;
        return new TensorNames(config)
                .module(Role.EMBEDDING, "transformer.word_embeddings", "token_embd")
                .module(
                        Role.ATTENTION_NORM,
                        layer + (twoNorms ? "ln_attn" : "input_layernorm"),
                        twoNorms ? "blk.{i}.attn_norm_2" : "blk.{i}.attn_norm")
                .huggingFace(Place.fused(
                        layer + "self_attention.query_key_value", Order.GROUPED, Role.QUERY, Role.KEY, Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.ATTENTION_OUTPUT, layer + "self_attention.dense", "blk.{i}.attn_output")
                .module(
                        Role.FEED_FORWARD_NORM,
                        layer + (twoNorms ? "ln_mlp" : "post_attention_layernorm"),
                        twoNorms ? "blk.{i}.attn_norm" : "blk.{i}.ffn_norm")
                .module(Role.UP, layer + "mlp.dense_h_to_4h", "blk.{i}.ffn_up")
                .module(Role.DOWN, layer + "mlp.dense_4h_to_h", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "transformer.ln_f", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        boolean biases = json.flag("bias", false);
        Attention all = GptKeys.attention(json).withBiases(biases ? Attention.PROJECTIONS : Set.of());
        FeedForward feedForward = FeedForward.plain(
                json.size("intermediate_size", Math.multiplyExact(4, json.size("hidden_size"))),
                ConfigKeys.activation(json, "hidden_act", "gelu"),
                biases);
        return GptKeys.near(this, json, POSITIONS, "gelu", true)
                .attention(all.withHeads(all.heads(), keyValueHeads(json, all.heads())))
                .feedForward(feedForward)
                .positions(json.flag("alibi", false) ? ALIBI : ConfigKeys.rotary(this, json, all.headDimension()))
                .residual(residual(json))
                .build();
    }

    private static int keyValueHeads(ConfigJson json, int heads) {
        String key = "num_kv_heads";
        int said = json.size(key, heads);
        if (json.flag("new_decoder_architecture", false)) {
            return said;
        }
        if (json.flag("multi_query", true)) {
            return 1;
        }
        if (said != heads) {
            throw json.malformed(
                    key, "is %d, which the first architecture has for %d heads never".formatted(said, heads));
        }
        return heads;
    }

    private static Residual residual(ConfigJson json) {
        boolean modern = json.flag("new_decoder_architecture", false);
        if (!json.flag("parallel_attn", true)) {
            json.refuse("new_decoder_architecture", false);
            return Residual.PRE_NORM;
        }
        String key = "num_ln_in_parallel_attn";
        int norms = json.size(key, modern ? 2 : 1);
        if (norms > 2 || norms == 2 && !modern) {
            throw json.malformed(key, "is %d; Demitasse knows 1, and 2 in the new architecture".formatted(norms));
        }
        return norms == 2 ? Residual.PARALLEL_TWO_NORMS : Residual.PARALLEL;
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Attention attention = config.attention();
        int keyValueHeads = attention.keyValueHeads();
        boolean twoNorms = config.residual() == Residual.PARALLEL_TWO_NORMS;
        boolean multiQuery = keyValueHeads == 1;
        boolean modern = twoNorms || !multiQuery && keyValueHeads != attention.heads();
        ObjectNode json = GptKeys.write(config, NAMES)
                .put("alibi", config.positions() instanceof Positions.Alibi)
                .put("bias", config.feedForward().bias())
                .put("multi_query", modern || multiQuery)
                .put("num_kv_heads", modern || !multiQuery ? keyValueHeads : attention.heads())
                .put("new_decoder_architecture", modern)
                .put("parallel_attn", config.residual().parallel())
                .put("hidden_dropout", 0.0);
        return modern ? json.put("num_ln_in_parallel_attn", twoNorms ? 2 : 1) : json.putNull("num_ln_in_parallel_attn");
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("falcon");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.withoutGate(Activation.GELU)
                .positions(keys.rotary())
                .residual(Residual.PARALLEL)
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        GgufKeys.refuseScales(config);
        GgufKeys.refuse(config, config.positions() instanceof Positions.Alibi, "ALiBi, which Falcon-RW has");
        GgufKeys.refuse(config, !config.residual().parallel(), "feed-forward block after attention");
        GgufKeys.refuse(config, config.feedForward().bias(), "biases");
        return GgufKeys.write(config);
    }

    @Override
    public ModelConfig completed(ModelConfig config, Predicate<String> tensors) {
        return tensors.test("blk.0.attn_norm_2.weight") ? config.withResidual(Residual.PARALLEL_TWO_NORMS) : config;
    }
}
