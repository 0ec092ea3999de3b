package dev.demitasse.quantize.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products against sums in doubles, at sizes that fill no vector, panel or block of depth. */
class FloatProductTest {
    private final SplittableRandom random = new SplittableRandom(7);

    @ParameterizedTest
    @CsvSource({"1,1,1,0,0", "6,128,64,0,0", "7,129,65,0,0", "32,40,300,3,130", "5,300,17,11,63", "12,33,129,0,1"})
    void addsTheProductOfARectangle(int rows, int depth, int columns, int fromRow, int fromColumn) {
        int allRows = fromRow + depth + 2;
        int allColumns = fromColumn + columns + 5;
        float[] right = random(allRows * allColumns);
        FloatPanels panels = FloatPanels.pack(FloatView.of(right, allRows, allColumns));
        float[] left = random((rows + 1) * (depth + 3));
        FloatView leftView = FloatView.of(left, rows + 1, depth + 3).part(1, 2, rows, depth);
        float[] target = random((rows + 1) * (columns + 4));
        float[] before = target.clone();
        FloatProduct.add(
                FloatView.of(target, rows + 1, columns + 4).part(0, 1, rows, columns),
                -2f,
                leftView,
                panels,
                fromRow,
                fromColumn);
        double worst = 0;
        for (int row = 0; row <= rows; row++) {
            for (int column = 0; column < columns + 4; column++) {
                double expected = before[row * (columns + 4) + column];
                if (row < rows && column >= 1 && column <= columns) {
                    for (int k = 0; k < depth; k++) {
                        expected -= 2.0
                                * left[(row + 1) * (depth + 3) + 2 + k]
                                * right[(fromRow + k) * allColumns + fromColumn + column - 1];
                    }
                }
                worst = Math.max(worst, Math.abs(expected - target[row * (columns + 4) + column]));
            }
        }
        assertThat(worst).isLessThan(1e-6 * Math.sqrt(depth) * 4);
    }

    /** A triangle takes little more than half the memory, and its product is that of the whole matrix. */
    @Test
    void aTriangleIsHeldAsOne() {
        int width = 20 * FloatPanels.WIDTH + 3;
        double[] upper = new double[width * width];
        for (int row = 0; row < width; row++) {
            for (int column = row; column < width; column++) {
                upper[row * width + column] = random.nextDouble(-1, 1);
            }
        }
        FloatPanels panels = FloatPanels.pack(View.of(upper, width, width));
        assertThat(panels.values().length).isLessThan((int) (0.6 * width * width));
        float[] left = random(9 * width);
        float[] target = new float[9 * width];
        FloatProduct.add(FloatView.of(target, 9, width), 1, FloatView.of(left, 9, width), panels);
        double worst = 0;
        for (int row = 0; row < 9; row++) {
            for (int column = 0; column < width; column++) {
                double expected = 0;
                for (int k = 0; k <= column; k++) {
                    expected += left[row * width + k] * upper[k * width + column];
                }
                worst = Math.max(worst, Math.abs(expected - target[row * width + column]));
            }
        }
        assertThat(worst).isLessThan(1e-4);
    }

    /** Numbers come out as they went in, those of rows that are not held as zeros. */
    @Test
    void givesBackWhatWasPacked() {
        int rows = 6;
        int columns = FloatPanels.WIDTH + 7;
        float[] matrix = random(rows * columns);
        for (int column = 0; column < FloatPanels.WIDTH; column++) {
            matrix[column] = 0;
            matrix[5 * columns + column] = 0;
        }
        FloatPanels panels = FloatPanels.pack(FloatView.of(matrix, rows, columns));
        float[] row = new float[columns + 1];
        for (int i = 0; i < rows; i++) {
            panels.copyRow(i, 2, columns - 2, row, 3);
            for (int column = 2; column < columns; column++) {
                assertThat(row[column + 1]).isEqualTo(matrix[i * columns + column]);
                assertThat(panels.at(i, column)).isEqualTo(matrix[i * columns + column]);
            }
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        FloatPanels panels = FloatPanels.pack(FloatView.of(new float[20], 4, 5));
        FloatView target = FloatView.of(new float[6], 2, 3);
        FloatView left = FloatView.of(new float[4], 2, 2);
        assertThatThrownBy(() -> FloatProduct.add(target, 1, left, panels)).hasMessageContaining("[2, 3]");
        assertThatThrownBy(() -> FloatProduct.add(target, 1, left, panels, 3, 0))
                .hasMessageContaining("[3, 0]");
        assertThatThrownBy(() -> FloatProduct.add(target, 1, left, panels, 0, 3))
                .hasMessageContaining("[0, 3]");
    }

    private float[] random(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }
}
