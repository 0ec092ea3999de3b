package dev.demitasse.distill.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.RopeScaling;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RotaryTableTest {
    /** Each pair (i, i + d/2) turns by its angle, in plane geometry; dimensions past the rotated ones stay. */
    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void turnsEachPairByItsAngle(int rotated) {
        int width = 8;
        int tokens = 5;
        double scale = 0.25;
        Rotary rotary = new Rotary(rotated, 100, new RopeScaling.Linear(2), Pairing.HALVES);
        float[] values = new float[2 * 3 * tokens * width];
        Random random = new Random(1);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        try (NDManager manager = PyTorch.newManager()) {
            RotaryTable table = RotaryTable.create(manager, rotary, width, tokens, scale);
            NDArray x = manager.create(values, new Shape(2, 3, tokens, width));
            float[] turned = table.rotate(x).toFloatArray();
            for (int start = 0; start < values.length; start += width) {
                int token = start / width % tokens;
                for (int i = 0; i < width; i++) {
                    double expected = values[start + i];
                    if (i < rotated) {
                        int pair = i % (rotated / 2);
                        double angle = token * Math.pow(100, -2.0 * pair / rotated) / 2;
                        double first = values[start + pair];
                        double second = values[start + pair + rotated / 2];
                        expected = i < rotated / 2
                                ? first * Math.cos(angle) - second * Math.sin(angle)
                                : second * Math.cos(angle) + first * Math.sin(angle);
                    }
                    assertThat((double) turned[start + i]).isCloseTo(expected * scale, within(1e-6));
                }
            }
        }
    }
}
