package dev.demitasse.model.format;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Float8's values by arXiv:2209.05433, table 1; rounding by search among all of them. */
class Float8Test {
    @Test
    void theTablesNumbers() {
        assertThat(Float8.toFloat((byte) 0x7e)).isEqualTo(448);
        assertThat(Float8.toFloat((byte) 0x08)).isEqualTo(0x1p-6f);
        assertThat(Float8.toFloat((byte) 0x07)).isEqualTo(0.875f * 0x1p-6f);
        assertThat(Float8.toFloat((byte) 0x01)).isEqualTo(0x1p-9f);
        assertThat(Float8.toFloat((byte) 0xc0)).isEqualTo(-2);
        assertThat(Float8.toFloat((byte) 0x7f)).isNaN();
        assertThat(Float8.toFloat((byte) 0xff)).isNaN();
    }

    @Test
    void everyNumberComesBack() {
        for (int code = 0; code < 256; code++) {
            float value = Float8.toFloat((byte) code);
            if (!Float.isNaN(value)) {
                assertThat(Float8.of(value)).isEqualTo((byte) code);
            }
        }
        assertThat(Float8.toFloat(Float8.of(Float.NaN))).isNaN();
    }

    @Test
    void roundsToTheNearestWithTiesToTheEvenCode() {
        for (int code = 0; code < 126; code++) {
            float low = Float8.toFloat((byte) code);
            float high = Float8.toFloat((byte) (code + 1));
            float middle = (low + high) / 2;
            assertThat(Float8.of(Math.nextDown(middle))).isEqualTo((byte) code);
            assertThat(Float8.of(Math.nextUp(middle))).isEqualTo((byte) (code + 1));
            assertThat(Float8.of(middle) & 1).isZero();
            assertThat(Float8.of(-middle)).isEqualTo((byte) (Float8.of(middle) | 0x80));
        }
    }

    @Test
    void whatIsTooLargeBecomesTheLargest() {
        assertThat(Float8.toFloat(Float8.of(449))).isEqualTo(448);
        assertThat(Float8.toFloat(Float8.of(Float.NEGATIVE_INFINITY))).isEqualTo(-448);
    }
}
