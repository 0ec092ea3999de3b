package dev.demitasse.model.format;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Against an independent implementation of QLoRA's NF4, whose scales are float32: what nests them is our own. */
class NF4Test {
    @Test
    void codesScalesAndPackingAreQlorasWhereScalesAreFloats() throws IOException {
        BlockScheme floats =
                new BlockScheme(64, 64, NF4.LEVELS, ScaleFormat.F32, Optional.empty(), new BlockScheme.Offset.None());
        BlockFit fit = new BlockFit(floats);
        BlockNumbers numbers = new BlockNumbers(floats);
        NF4 format = new NF4();
        try (SafetensorsFile golden = SafetensorsFile.open(SharedData.require("golden/quant/nf4.safetensors"));
                SafetensorsFile inputs = SafetensorsFile.open(SharedData.require("golden/quant/inputs.safetensors"))) {
            float[] weight = inputs.tensor("W").toFloats();
            float[] dequantized = golden.tensor("dequant").toFloats();
            float[] scales = golden.tensor("absmax").toFloats();
            long[] codes = golden.tensor("codes").toLongs();
            Tensor packed = golden.tensor("packed_high_nibble_first");
            double[] values = new double[weight.length];
            float[] decoded = new float[64];
            MemorySegment bytes = MemorySegment.ofArray(new byte[format.bytesPerBlock()]);
            for (int i = 0; i < weight.length; i++) {
                values[i] = weight[i];
            }
            for (int block = 0; block < scales.length; block++) {
                fit.range(values, 64 * block, numbers);
                assertThat(numbers.scale).isEqualTo(scales[block]);
                numbers.decode(decoded, 0);
                for (int i = 0; i < 64; i++) {
                    assertThat((long) numbers.codes[i]).isEqualTo(codes[64 * block + i]);
                    assertThat(decoded[i]).isEqualTo(dequantized[64 * block + i]);
                }
                format.pack(numbers, bytes, 0);
                assertThat(bytes.asSlice(1, 32).mismatch(packed.data().asSlice(32L * block, 32)))
                        .isEqualTo(-1);
            }
        }
    }

    /** The rows' scales included, with rows of 4096: QLoRA's 4.127 bits. */
    @Test
    void takesFewerBitsThanQlora() {
        assertThat(new NF4().bitsPerElement() + 32.0 / 4096).isLessThan(4.5).isEqualTo(4.1328125);
        assertThat(new NF4().bytesPerBlock()).isEqualTo(1 + ValueLayout.JAVA_BYTE.byteSize() * 32);
    }
}
