package dev.demitasse.distill.network;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.demitasse.model.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NativeTensorsTest {
    /** The second shape does not fit into one chunk, and its last chunk is smaller than the others. */
    @ParameterizedTest
    @CsvSource({"3, 5", "4099, 1025", "1, 7"})
    void comeBackAsTheyWent(int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(0x3f800000 + i);
        }
        try (NDManager manager = PyTorch.newManager();
                Arena arena = Arena.ofConfined()) {
            NDArray array = NativeTensors.load(manager, Tensor.ofFloats("x", values, rows, columns));
            Tensor back = NativeTensors.save(arena, "x", array);
            assertThat(back.shape()).containsExactly(rows, columns);
            assertThat(Arrays.equals(back.toFloats(), values)).isTrue();
        }
    }
}
