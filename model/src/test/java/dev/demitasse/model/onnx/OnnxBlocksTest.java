package dev.demitasse.model.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OnnxBlocksTest {
    private static final int COLUMNS = 768;

    static List<OnnxBlocks> forms() {
        return TensorFormat.all().stream()
                .flatMap(format -> OnnxBlocks.of(format).stream())
                .toList();
    }

    private static Tensor row(BlockFormat format) {
        Random random = new Random(1);
        float[] values = new float[COLUMNS];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() + 0.3f;
        }
        return Tensor.ofFloats("row", values, 1, COLUMNS).to(format);
    }

    /** The operators' definition, w = scale · (code − zero), gives what the format's own decoder gives, to the last bit. */
    @ParameterizedTest
    @MethodSource("forms")
    void operatorsReadWhatTheFormatHolds(OnnxBlocks form) {
        Tensor row = row(form.format());
        int blocks = form.blocks(COLUMNS);
        int size = form.format().blockSize();
        byte[] codes = new byte[blocks * form.codeBytes()];
        byte[] scales = new byte[2 * blocks];
        byte[] zeros = new byte[form.hasZeros() ? form.zeroBytes(COLUMNS) : 0];
        form.split(row.data(), codes, scales, zeros);
        float[] expected = row.toFloats();
        for (int i = 0; i < COLUMNS; i++) {
            int block = i / size;
            float scale = Float.float16ToFloat((short) (scales[2 * block] & 255 | scales[2 * block + 1] << 8));
            int zero = form.hasZeros() ? code(zeros, block, form.bits()) : 1 << form.bits() - 1;
            float value = scale * (code(codes, i, form.bits()) - zero);
            // −0 and 0 are the same number.
            assertThat(value + 0f).as("column " + i).isEqualTo(expected[i] + 0f);
        }
        MemorySegment joined = MemorySegment.ofArray(new byte[Math.toIntExact(row.rowBytes())]);
        form.join(codes, scales, zeros, joined);
        assertThat(joined.mismatch(row.data())).isEqualTo(-1);
    }

    private static int code(byte[] packed, int index, int bits) {
        return bits == 8 ? packed[index] & 255 : (packed[index / 2] & 255) >> 4 * (index % 2) & 15;
    }

    @Test
    void formatsWithFloatMinimumsNestedScalesOrOtherLevelsHaveNone() {
        assertThat(forms().stream().map(form -> form.format().id()))
                .contains("q4_0", "q5_0", "q8_0", "int4_g32", "int4_g64_asym", "int3_g128")
                .doesNotContain("q4_1", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "nf4", "mxfp4");
        assertThat(OnnxBlocks.of(new Q4_0()).orElseThrow().bits()).isEqualTo(4);
        assertThat(forms())
                .filteredOn(form -> form.bits() == 8)
                .extracting(form -> form.format().id())
                .contains("q8_0");
    }
}
