package dev.demitasse.quantize.mix;

import dev.demitasse.model.format.IQ4_NL;
import dev.demitasse.model.format.IQ4_XS;
import dev.demitasse.model.format.Q2_K;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_0;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TQ1_0;
import dev.demitasse.model.format.TQ2_0;
import dev.demitasse.model.format.TensorFormat;
import java.util.Map;

/** What stands in for a format whose blocks do not fill a row. */
final class Fallback {
    private static final Map<TensorFormat, TensorFormat> SMALLER_BLOCKS = Map.of(
            new Q2_K(), new Q4_0(),
            new Q3_K(), new Q4_0(),
            new TQ1_0(), new Q4_0(),
            new TQ2_0(), new Q4_0(),
            new Q4_K(), new Q5_0(),
            new Q5_K(), new Q5_1(),
            new Q6_K(), new Q8_0(),
            new IQ4_XS(), new IQ4_NL());

    private Fallback() {}

    /**
     * {@code wanted} where {@code columns} are whole blocks; else the type with blocks of 32 that llama-quantize takes for one
     * of 256 ({@code tensor_type_fallback} in llama.cpp's src/llama-quant.cpp); else float16.
     */
    static TensorFormat of(TensorFormat wanted, long columns) {
        if (wanted.fits(columns)) {
            return wanted;
        }
        TensorFormat smaller = SMALLER_BLOCKS.getOrDefault(wanted, wanted);
        return smaller.fits(columns) ? smaller : ScalarFormat.F16;
    }
}
