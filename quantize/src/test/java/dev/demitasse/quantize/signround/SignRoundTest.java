package dev.demitasse.quantize.signround;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.gptq.OutputError;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.MadeUpInputs;
import dev.demitasse.quantize.matrix.Matrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Learned rounding on grids of every kind: single and nested scales, minimums, zeros, tables of levels. */
class SignRoundTest {
    private static final int COLUMNS = 256;
    private static final int ROWS = 13;

    private final Matrix weight = MadeUpInputs.gaussian(ROWS, COLUMNS, 1, 0.05);
    private final SecondMoment moment = MadeUpInputs.moment(MadeUpInputs.correlated(900, COLUMNS, 2));

    private double error(QuantizedMatrix matrix) {
        return OutputError.relative(ROWS, weight::readRow, matrix::readRow, moment);
    }

    private QuantizedMatrix learned(Grid grid, int steps) {
        return SignRound.quantize(weight, grid, moment, moment.panels(), steps);
    }

    @ParameterizedTest
    @ValueSource(strings = {"q4_0", "q4_1", "q2_k", "q4_k", "q6_k", "iq4_nl", "i8", "int4_g64", "int3_g32_asym"})
    void halvesTheOutputErrorOfNearest(String id) {
        Grid grid = Grid.of(TensorFormat.of(id).orElseThrow(), COLUMNS).orElseThrow();
        QuantizedMatrix nearest = RoundToNearest.quantize(weight, grid, moment.diagonal());
        assertThat(error(learned(grid, 100))).isLessThan(0.5 * error(nearest));
    }

    /** Every V is within a half, so that a code not at the end of its range is one of the two next to a weight; the best is kept. */
    @Test
    void roundsUpOrDownAndKeepsTheBest() {
        Grid grid = Grid.of(TensorFormat.of("i8").orElseThrow(), COLUMNS).orElseThrow();
        QuantizedMatrix matrix = learned(grid, 100);
        for (int row = 0; row < ROWS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                double distance = Math.abs(matrix.value(row, column) - weight.at(row, column));
                boolean inside = Math.abs(matrix.code(row, column)) < 127;
                assertThat(inside && distance > 1.001 * matrix.step(row, 0)).isFalse();
            }
        }
        QuantizedMatrix nearest = RoundToNearest.quantize(weight, grid, moment.diagonal());
        assertThat(error(learned(grid, 1))).isLessThanOrEqualTo(error(nearest) * (1 + 1e-9));
    }
}
