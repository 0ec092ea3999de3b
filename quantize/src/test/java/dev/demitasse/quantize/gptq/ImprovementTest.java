package dev.demitasse.quantize.gptq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.gptq.GptqOptions.Importance;
import dev.demitasse.quantize.gptq.GptqOptions.Scales;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.CrossMoment;
import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.MadeUpInputs;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * On the grids that ship, each step lowers what it is there to lower: nearest, GPTQ, coordinate descent. Inputs are
 * correlated as a layer's are (a few directions carry most), which is what GPTQ lives on.
 */
class ImprovementTest {
    private static final int COLUMNS = 256;
    private static final int ROWS = 37;
    private static final int TOKENS = 900;
    private static final double DAMPING = 0.01;

    private final Matrix weight = MadeUpInputs.gaussian(ROWS, COLUMNS, 1, 0.05);
    private final Matrix input = MadeUpInputs.correlated(TOKENS, COLUMNS, 2);
    private final SecondMoment moment = MadeUpInputs.moment(input);

    static Stream<Grid> grids() {
        return Stream.of("q4_0", "q8_0", "q4_k", "i8").map(id -> grid(id));
    }

    private static Grid grid(String id) {
        return Grid.of(TensorFormat.of(id).orElseThrow(), COLUMNS).orElseThrow();
    }

    @ParameterizedTest
    @MethodSource("grids")
    void gptqBeatsNearestAndCoordinateDescentBeatsGptq(Grid grid) {
        QuantizedMatrix nearest = RoundToNearest.quantize(weight, grid);
        QuantizedMatrix natural = gptq(grid, false).quantize(weight, grid).matrix();
        QuantizedMatrix ordered = gptq(grid, true).quantize(weight, grid).matrix();
        double before = error(ordered);
        assertThat(error(natural)).isLessThan(0.8 * error(nearest));
        assertThat(before).isLessThan(0.8 * error(nearest));
        CoordinateDescent.refine(ordered, weight, moment, moment.panels(), DAMPING, 1);
        assertThat(error(ordered)).isLessThan(before);
    }

    /** Coordinate descent alone, from the nearest codes, finds most of what GPTQ finds; a second round no worse. */
    @Test
    void coordinateDescentNeverClimbs() {
        QuantizedMatrix matrix = RoundToNearest.quantize(weight, grid("q4_0"));
        double error = error(matrix);
        for (int round = 0; round < 4; round++) {
            CoordinateDescent.refine(matrix, weight, moment, moment.panels(), 0, 1);
            // A scale rounded to float16 may cost a little.
            assertThat(error(matrix)).isLessThan(error * 1.001);
            error = error(matrix);
        }
    }

    /**
     * Where the quantized model's activations are the float model's, distorted: the target gives the least-squares
     * solution of A_q W*ᵀ ≈ A_f Wᵀ, so that its error is below the plain weight's.
     */
    @Test
    void floatTargetComesNearerToTheFloatOutputs() {
        Matrix distorted = input.copy();
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < distorted.values().length; i++) {
            distorted.values()[i] = 0.9f * distorted.values()[i] + (float) (0.1 * random.nextGaussian());
        }
        CrossMoment drift = new CrossMoment(COLUMNS, COLUMNS);
        float[] difference = new float[input.values().length];
        for (int i = 0; i < difference.length; i++) {
            difference[i] = input.values()[i] - distorted.values()[i];
        }
        drift.add(difference, distorted.values(), TOKENS);
        Gptq gptq = Gptq.prepare(MadeUpInputs.moment(distorted), 32, GptqOptions.forBlocks(1e-4, true));
        Matrix half = gptq.target(0.5).drifted(weight, FloatPanels.pack(drift.moment()));
        Matrix whole = gptq.target(1).drifted(weight, FloatPanels.pack(drift.moment()));
        double plain = outputDistance(weight, distorted);
        assertThat(outputDistance(half, distorted)).isLessThan(plain);
        assertThat(outputDistance(whole, distorted)).isLessThan(0.5 * plain);
        for (int i = 0; i < weight.values().length; i++) {
            float middle = (weight.values()[i] + whole.values()[i]) / 2;
            assertThat(half.values()[i]).isCloseTo(middle, within(1e-5f));
        }
    }

    /** One row at a time or all at once, on any number of threads: the same codes. */
    @Test
    void rowsDoNotDependOnEachOther() {
        QuantizedMatrix all =
                gptq(grid("q4_0"), true).quantize(weight, grid("q4_0")).matrix();
        float[] last = new float[COLUMNS];
        System.arraycopy(weight.values(), (ROWS - 1) * COLUMNS, last, 0, COLUMNS);
        QuantizedMatrix one = gptq(grid("q4_0"), true)
                .quantize(new Matrix(1, COLUMNS, last), grid("q4_0"))
                .matrix();
        for (int column = 0; column < COLUMNS; column++) {
            assertThat(one.value(0, column)).isEqualTo(all.value(ROWS - 1, column));
        }
    }

    @Test
    void singleColumnsCannotLeaveNestedScales() {
        GptqOptions options = new GptqOptions(DAMPING, ColumnOrder.COLUMNS, 128, Scales.CURRENT, Importance.DIAGONAL);
        Gptq gptq = Gptq.prepare(moment, COLUMNS, options);
        assertThatThrownBy(() -> gptq.quantize(weight, grid("q4_k")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("nested scales");
    }

    private Gptq gptq(Grid grid, boolean reorder) {
        return Gptq.prepare(moment, grid.blockSize(), GptqOptions.forBlocks(DAMPING, reorder));
    }

    private double error(QuantizedMatrix matrix) {
        return OutputError.relative(ROWS, weight::readRow, matrix::readRow, moment);
    }

    /** |A Wᵀ − X weightᵀ|². */
    private double outputDistance(Matrix other, Matrix activations) {
        double sum = 0;
        for (int token = 0; token < TOKENS; token++) {
            for (int row = 0; row < ROWS; row++) {
                double difference = 0;
                for (int column = 0; column < COLUMNS; column++) {
                    difference += (double) activations.at(token, column) * other.at(row, column)
                            - (double) input.at(token, column) * weight.at(row, column);
                }
                sum += difference * difference;
            }
        }
        return sum;
    }
}
