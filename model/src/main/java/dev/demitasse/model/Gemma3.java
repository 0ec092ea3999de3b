package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;

/**
 * Gemma 3's text models: Gemma 2 with query and key norms in place of soft caps; five layers of six see a window, with
 * rotary frequencies of their own (arXiv:2503.19786 §2).
 */
final class Gemma3 implements Family {
    private static final int PATTERN = 6;
    private static final double LOCAL_BASE = 10_000;
    private static final double BASE = 1_000_000;
    private static final int LAYERS_OF_27B = 62;

    @Override
    public String id() {
        return "gemma3_text";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Gemma3ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Gemma2.layout(Qwen3.layout(config));
    }

    @Override
    public boolean unitOffset() {
        return true;
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Norm norm = new Norm.Rms(json.number("rms_norm_eps", 1e-6), true);
        Attention attention = Gemma.attention(json)
                .withScale(Gemma2.scale(json))
                .withSoftCap(json.optionalNumber("attn_logit_softcapping"))
                .withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, Scope.HEAD)));
        int pattern = json.size("sliding_window_pattern", json.size("_sliding_window_pattern", PATTERN));
        OptionalInt window = OptionalInt.of(json.size("sliding_window", 4096));
        IntUnaryOperator windows = ConfigKeys.windows(json, window, layer -> (layer + 1) % pattern != 0);
        int width = attention.headDimension();
        Rotary global = new Rotary(width, json.number("rope_theta", BASE), ConfigKeys.ropeScaling(json), pairing());
        Rotary local = Rotary.of(width, json.number("rope_local_base_freq", LOCAL_BASE));
        return Gemma.near(this, json)
                .attention(layer -> attention.withSlidingWindow(windows.applyAsInt(layer)))
                .positions(layer -> windows.applyAsInt(layer) == Attention.FULL ? global : local)
                .head(Head.plain(json.flag("tie_word_embeddings", true))
                        .withSoftCap(json.optionalNumber("final_logit_softcapping")))
                .residual(Residual.SANDWICH_NORM)
                .maximumPositions(json.size("max_position_embeddings", 131_072))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = Gemma2.writeNear(config);
        config.blocks().forEach(block -> {
            if (block.positions() instanceof Rotary rotary) {
                if (block.attention().slidingWindow() == Attention.FULL) {
                    json.put("rope_theta", rotary.base());
                    json.set("rope_scaling", ConfigKeys.writeScaling(config, json, rotary.scaling()));
                } else {
                    json.put("rope_local_base_freq", rotary.base());
                }
            }
        });
        for (int layer = config.layers() - 1; layer >= 0; layer--) {
            if (config.attention(layer).slidingWindow() == Attention.FULL) {
                json.put("sliding_window_pattern", layer + 1);
            }
        }
        if (config.positions().equals(config.positions(config.layers() - 1))
                && config.attention().slidingWindow() != Attention.FULL) {
            // No layer tells what a global one would have.
            json.put("rope_theta", BASE);
            json.putNull("rope_scaling");
        }
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("gemma3");
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
        int pattern = keys.size("attention.sliding_window_pattern", PATTERN);
        double scale = Gemma.ggufScale(
                keys.size("block_count") == LAYERS_OF_27B,
                keys.size("embedding_length"),
                keys.attentions().apply(0));
        IntFunction<Attention> attentions = keys.attentions(attention -> attention
                .withQueryKeyNorm(Optional.of(new QueryKeyNorm(keys.norm(), Scope.HEAD)))
                .withScale(scale));
        Rotary global = keys.rotary(BASE);
        Rotary local = Rotary.of(global.dimensions(), keys.number("rope.freq_base_swa", LOCAL_BASE));
        return Gemma.near(keys)
                .attention(layer -> slides(layer, pattern)
                        ? attentions.apply(layer)
                        : attentions.apply(layer).withSlidingWindow(Attention.FULL))
                .positions(layer -> slides(layer, pattern) ? local : global)
                .residual(Residual.SANDWICH_NORM)
                .build();
    }

    private static boolean slides(int layer, int pattern) {
        return (layer + 1) % pattern != 0;
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = GgufKeys.write(config);
        for (int layer = 0; layer < config.layers(); layer++) {
            if (config.attention(layer).slidingWindow() == Attention.FULL) {
                values.putIfAbsent("gemma3.attention.sliding_window_pattern", layer + 1);
            }
        }
        config.blocks().forEach(block -> {
            if (block.positions() instanceof Rotary rotary) {
                boolean global = block.attention().slidingWindow() == Attention.FULL;
                values.put(global ? "gemma3.rope.freq_base" : "gemma3.rope.freq_base_swa", (float) rotary.base());
            }
        });
        return values;
    }
}
