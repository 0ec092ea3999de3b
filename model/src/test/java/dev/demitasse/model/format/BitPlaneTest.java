package dev.demitasse.model.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against the description, a bit at a time. */
class BitPlaneTest {
    @ParameterizedTest
    @CsvSource({"1, 1, 32", "1, 4, 8", "4, 2, 16", "8, 4, 16", "16, 4, 32", "32, 2, 256", "64, 4, 256", "32, 1, 256"})
    void bitsAreWhereTheDescriptionHasThem(int stride, int bits, int size) {
        Random random = new Random(1);
        byte[] bytes = new byte[size * bits / 8 + 3];
        random.nextBytes(bytes);
        for (int place = 0; place + bits <= 8; place++) {
            byte[] codes = new byte[size];
            random.nextBytes(codes);
            int kept = (1 << place) - 1;
            byte[] expected = new byte[size];
            for (int i = 0; i < size; i++) {
                int group = i / (stride * (8 / bits));
                int field = i / stride % (8 / bits);
                int part = bytes[3 + group * stride + i % stride] >> field * bits & (1 << bits) - 1;
                codes[i] &= (byte) kept;
                expected[i] = (byte) (codes[i] | part << place);
            }
            BitPlane plane = new BitPlane(stride, bits);
            plane.get(MemorySegment.ofArray(bytes), 3, codes, place);
            assertThat(codes).isEqualTo(expected);
            byte[] written = new byte[bytes.length];
            plane.put(codes, 0, place, MemorySegment.ofArray(written), 3);
            System.arraycopy(bytes, 0, written, 0, 3);
            assertThat(written).isEqualTo(bytes);
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 4, 32, 8", "4, 2, 16, 2", "32, 2, 256, 2"})
    void aBiasIsAddedToEveryCodeAlone(int stride, int bits, int size, int bias) {
        Random random = new Random(2);
        byte[] codes = new byte[size];
        byte[] biased = new byte[size];
        for (int i = 0; i < size; i++) {
            codes[i] = (byte) (random.nextInt(1 << bits) - bias);
            biased[i] = (byte) (codes[i] + bias);
        }
        BitPlane plane = new BitPlane(stride, bits);
        MemorySegment found = MemorySegment.ofArray(new byte[size * bits / 8]);
        MemorySegment expected = MemorySegment.ofArray(new byte[size * bits / 8]);
        plane.put(codes, bias, 0, found, 0);
        plane.put(biased, 0, 0, expected, 0);
        assertThat(found.mismatch(expected)).isEqualTo(-1);
        BitPlane.subtract(bias, biased);
        assertThat(biased).isEqualTo(codes);
    }
}
