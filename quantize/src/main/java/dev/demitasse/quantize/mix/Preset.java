package dev.demitasse.quantize.mix;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.IQ4_NL;
import dev.demitasse.model.format.IQ4_XS;
import dev.demitasse.model.format.MXFP4;
import dev.demitasse.model.format.Q2_K;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_1;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_0;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.TQ1_0;
import dev.demitasse.model.format.TQ2_0;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The mixes of GGUF types that llama-quantize makes, by its names: most tensors in one type, those that hurt most in a finer
 * one. Which those are, {@link PresetRules} says.
 */
public enum Preset {
    Q4_0(new Q4_0()),
    Q4_1(new Q4_1()),
    Q5_0(new Q5_0()),
    Q5_1(new Q5_1()),
    Q8_0(new Q8_0()),
    Q2_K(new Q2_K()),
    Q2_K_S(new Q2_K()),
    Q3_K_S(new Q3_K()),
    Q3_K_M(new Q3_K()),
    Q3_K_L(new Q3_K()),
    Q4_K_S(new Q4_K()),
    Q4_K_M(new Q4_K()),
    Q5_K_S(new Q5_K()),
    Q5_K_M(new Q5_K()),
    Q6_K(new Q6_K()),
    IQ4_NL(new IQ4_NL()),
    IQ4_XS(new IQ4_XS()),
    TQ1_0(new TQ1_0()),
    TQ2_0(new TQ2_0()),
    /** Experts in MXFP4, all else in Q8_0. */
    MXFP4_MOE(new MXFP4());

    /** What llama-quantize takes the type's bare name for. */
    private static final Map<String, Preset> ALIASES = Map.of("q3_k", Q3_K_M, "q4_k", Q4_K_M, "q5_k", Q5_K_M);

    private final BlockFormat base;

    Preset(BlockFormat base) {
        this.base = base;
    }

    /** The mix that {@code id} names, whatever its case. */
    public static Optional<Preset> of(String id) {
        String lower = id.toLowerCase(Locale.ROOT);
        return Arrays.stream(values())
                .filter(preset -> preset.id().equals(lower))
                .findFirst()
                .or(() -> Optional.ofNullable(ALIASES.get(lower)));
    }

    /** The name used in recipes and reports: {@code q4_k_m}. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What most tensors get. */
    public BlockFormat base() {
        return base;
    }
}
