package dev.demitasse.quantize.mix;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.MXFP4;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_1;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;

/**
 * Which type llama-quantize gives a tensor before it looks at the number of its columns: {@code llama_tensor_get_type_impl}
 * in llama.cpp's src/llama-quant.cpp, as of v0.5.0. There the rules go by a tensor's name in the file, and so they do
 * here: a query that shares a tensor with key and value gets what values get.
 */
final class PresetRules {
    private final Preset preset;
    private final boolean importance;
    private final boolean tied;
    private final boolean falcon;
    /** Whether values are so small a part that bits for them cost next to nothing. */
    private final boolean large;

    private final int layers;
    private final int experts;
    private final int queriesPerKey;
    private final ModelConfig config;

    /** @param importance whether llama-quantize would have an importance matrix, which it trusts coarser types with */
    PresetRules(ModelConfig config, Preset preset, boolean importance) {
        this.config = config;
        this.preset = preset;
        this.importance = importance;
        String architecture = config.family().ggufArchitecture().orElse("");
        Attention first = config.attention(0);
        this.tied = config.tiedHead();
        this.falcon = architecture.equals("falcon");
        this.layers = config.layers();
        this.experts = experts(config);
        this.queriesPerKey = first.heads() / first.keyValueHeads();
        this.large = layers == 80
                && (architecture.equals("llama") && queriesPerKey > 1
                        || architecture.equals("qwen2")
                        || architecture.equals("olmo"));
    }

    private static int experts(ModelConfig config) {
        int most = 0;
        for (int layer = 0; layer < config.layers(); layer++) {
            most = Math.max(
                    most,
                    config.feedForward(layer).experts().map(Experts::count).orElse(0));
        }
        return most;
    }

    /** The type of {@code key}, a weight that is quantized. */
    BlockFormat of(TensorKey key) {
        Category category = Category.of(config, key);
        if (category == Category.OUTPUT || tied && category == Category.EMBEDDING) {
            return preset == Preset.MXFP4_MOE ? new Q8_0() : output(config, preset.base());
        }
        if (preset == Preset.MXFP4_MOE) {
            return key.role().perExpert() ? new MXFP4() : new Q8_0();
        }
        return switch (category) {
            case OUTPUT, OTHER -> preset.base();
            case EMBEDDING -> preset == Preset.TQ1_0 || preset == Preset.TQ2_0 ? new Q4_K() : preset.base();
            case QUERY -> preset.base();
            case KEY -> experts == 8 ? new Q8_0() : preset.base();
            case VALUE -> value(key.layer());
            case ATTENTION_OUTPUT -> attentionOutput();
            case DOWN -> falcon ? falconDown(key.layer()) : down(key.layer());
        };
    }

    /** The type of a head, or of an embedding that is the head too, where most tensors are of type {@code base}. */
    static BlockFormat output(ModelConfig config, BlockFormat base) {
        boolean falcon = config.family().ggufArchitecture().orElse("").equals("falcon");
        boolean fills = base.fits(config.columns(TensorKey.weight(Role.EMBEDDING)));
        return falcon || !fills || base instanceof Q8_0 ? new Q8_0() : new Q6_K();
    }

    private BlockFormat value(int layer) {
        if (experts == 8) {
            return new Q8_0();
        }
        boolean shared = queriesPerKey >= 4;
        BlockFormat base = preset.base();
        BlockFormat chosen = switch (preset) {
            case Q2_K -> shared ? new Q4_K() : new Q3_K();
            case Q2_K_S -> shared ? new Q4_K() : base;
            case Q3_K_M -> layer < 2 ? new Q5_K() : new Q4_K();
            case Q3_K_L -> new Q5_K();
            case IQ4_NL, IQ4_XS -> shared ? new Q5_K() : base;
            case Q4_K_M, Q5_K_M -> moreBits(layer) ? new Q6_K() : base;
            case Q4_K_S -> layer < 4 ? new Q5_K() : base;
            case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q3_K_S, Q5_K_S, Q6_K, TQ1_0, TQ2_0, MXFP4_MOE -> base;
        };
        return large && (chosen instanceof Q3_K || chosen instanceof Q4_K) ? new Q5_K() : chosen;
    }

    private BlockFormat attentionOutput() {
        BlockFormat base = preset.base();
        if (falcon) {
            return preset == Preset.Q3_K_L ? new Q4_K() : base;
        }
        return switch (preset) {
            case Q2_K -> experts == 8 ? new Q5_K() : new Q3_K();
            case Q3_K_M -> experts == 8 ? new Q5_K() : new Q4_K();
            case Q3_K_L -> experts == 8 ? base : new Q5_K();
            case Q3_K_S, Q4_K_S, Q4_K_M, IQ4_NL, IQ4_XS -> experts == 8 ? new Q5_K() : base;
            case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K_S, Q5_K_S, Q5_K_M, Q6_K, TQ1_0, TQ2_0, MXFP4_MOE -> base;
        };
    }

    private BlockFormat down(int layer) {
        boolean early = layer < layers / 8;
        BlockFormat base = preset.base();
        return switch (preset) {
            case Q2_K -> new Q3_K();
            case Q2_K_S -> early ? new Q4_K() : base;
            case Q3_K_M -> layer < layers / 16 ? new Q5_K() : new Q4_K();
            case Q3_K_L -> new Q5_K();
            case Q4_K_M, Q5_K_M -> moreBits(layer) ? new Q6_K() : base;
            case Q4_K_S -> early ? new Q5_K() : base;
            case IQ4_NL, IQ4_XS -> early && !importance ? new Q5_K() : base;
            case Q4_0 -> early && importance ? new Q4_1() : base;
            case Q5_0 -> early && importance ? new Q5_1() : base;
            case Q4_1, Q5_1, Q8_0, Q3_K_S, Q5_K_S, Q6_K, TQ1_0, TQ2_0, MXFP4_MOE -> base;
        };
    }

    private BlockFormat falconDown(int layer) {
        boolean first = layer < layers / 16;
        return switch (preset) {
            case Q3_K_M -> first ? new Q5_K() : moreBits(layer) ? new Q4_K() : new Q3_K();
            case Q3_K_L -> new Q4_K();
            case Q4_K_M -> first ? new Q6_K() : moreBits(layer) ? new Q5_K() : new Q4_K();
            case Q4_K_S -> preset.base();
            case Q4_0,
                    Q4_1,
                    Q5_0,
                    Q5_1,
                    Q8_0,
                    Q2_K,
                    Q2_K_S,
                    Q3_K_S,
                    Q5_K_S,
                    Q5_K_M,
                    Q6_K,
                    IQ4_NL,
                    IQ4_XS,
                    TQ1_0,
                    TQ2_0,
                    MXFP4_MOE -> down(layer);
        };
    }

    /** The first and the last eighth of the layers, and every third between them. */
    private boolean moreBits(int layer) {
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
    }

    /** What llama-quantize tells apart. */
    private enum Category {
        EMBEDDING,
        OUTPUT,
        QUERY,
        KEY,
        /** Values, or all three where they share a tensor. */
        VALUE,
        ATTENTION_OUTPUT,
        DOWN,
        OTHER;

        static Category of(ModelConfig config, TensorKey key) {
            return switch (key.role()) {
                case EMBEDDING -> EMBEDDING;
                case HEAD -> OUTPUT;
                case QUERY -> fused(config, key) ? VALUE : QUERY;
                case KEY -> fused(config, key) ? VALUE : KEY;
                case VALUE -> VALUE;
                case ATTENTION_OUTPUT -> ATTENTION_OUTPUT;
                case DOWN, EXPERT_DOWN, SHARED_DOWN -> DOWN;
                default -> OTHER;
            };
        }

        private static boolean fused(ModelConfig config, TensorKey key) {
            TensorKey value = TensorKey.weight(Role.VALUE, key.layer());
            return config.family().ggufArchitecture().isPresent()
                    && config.names()
                            .gguf(key)
                            .getFirst()
                            .name()
                            .equals(config.names().gguf(value).getFirst().name());
        }
    }
}
