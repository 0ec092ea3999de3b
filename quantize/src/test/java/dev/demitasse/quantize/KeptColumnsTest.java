package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.quantize.OutlierChoice.By;
import dev.demitasse.quantize.gptq.OutputError;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.MadeUpInputs;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which columns stay in float16, and what they do for the others. */
class KeptColumnsTest {
    private static final int COLUMNS = 64;
    private static final int ROWS = 20;

    /** Column 9 has the largest activations but hardly any weights, column 44 large ones and weights as all others. */
    private final Matrix weight = weight();

    private final SecondMoment moment = MadeUpInputs.moment(input());

    private static Matrix weight() {
        Matrix weight = MadeUpInputs.gaussian(ROWS, COLUMNS, 1, 0.05);
        for (int row = 0; row < ROWS; row++) {
            weight.values()[row * COLUMNS + 9] *= 1e-3f;
        }
        return weight;
    }

    private static Matrix input() {
        Matrix input = MadeUpInputs.correlated(500, COLUMNS, 2);
        for (int token = 0; token < input.rows(); token++) {
            input.values()[token * COLUMNS + 9] *= 20;
            input.values()[token * COLUMNS + 44] *= 6;
        }
        return input;
    }

    private static Matrix nearest(Matrix matrix) {
        return Matrix.of(tensor(matrix).to(new Q4_0()));
    }

    private static Tensor tensor(Matrix matrix) {
        return Tensor.ofFloats("w", matrix.values(), matrix.rows(), matrix.columns());
    }

    private KeptColumns choose(By by) {
        return KeptColumns.choose(new OutlierChoice(0.01, by), moment, List.of(weight), KeptColumnsTest::nearest, 0.01);
    }

    private RoundedTensor kept(By by, boolean compensates) {
        KeptColumns chosen = choose(by);
        RoundedTensor rest = RoundedTensor.nearest(tensor(chosen.without(weight)), new Q4_0());
        return chosen.beside(rest, weight, compensates);
    }

    private double error(RoundedTensor rounded) {
        float[] row = new float[COLUMNS];
        return OutputError.relative(
                ROWS,
                weight::readRow,
                (index, target, at) -> {
                    rounded.readRow(index, row, 0);
                    for (int column = 0; column < COLUMNS; column++) {
                        target[at + column] = row[column];
                    }
                },
                moment);
    }

    @Test
    void magnitudeLooksAtActivationsErrorAtWhatRoundingCosts() {
        Outliers large = kept(By.MAGNITUDE, false).outliers().orElseThrow();
        Outliers costly = kept(By.ERROR, false).outliers().orElseThrow();
        assertThat(large.columns()).containsExactly(9);
        assertThat(costly.columns()).containsExactly(44);
        for (int row = 0; row < ROWS; row++) {
            float[] value = new float[1];
            costly.values().readRow(row, value, 0);
            float exact = weight.at(row, 44);
            assertThat(value[0]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(exact)));
        }
    }

    @Test
    void keptColumnsLowerTheErrorAndMoreSoWhereTheyMakeUpForOthers() {
        double all = error(RoundedTensor.nearest(tensor(weight), new Q4_0()));
        double beside = error(kept(By.ERROR, false));
        double compensated = error(kept(By.ERROR, true));
        assertThat(beside).isLessThan(0.8 * all);
        assertThat(compensated).isLessThan(0.98 * beside);
    }

    @Test
    void aShareIsMoreThanNothingAndLessThanMost() {
        assertThatThrownBy(() -> new OutlierChoice(0, By.ERROR))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("quantize.outliers");
        assertThatThrownBy(() -> new OutlierChoice(0.6, By.ERROR)).isInstanceOf(InvalidRequestException.class);
        assertThat(Outliers.count(0.001, 64)).isEqualTo(1);
        assertThat(Outliers.count(0.01, 4096)).isEqualTo(41);
    }
}
