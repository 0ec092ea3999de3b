package dev.demitasse.quantize.gptq;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Improves a quantized weight one stored number at a time, all others held: with G = (W − Q)(H + λI), the best value of a
 * code lies at Q_j + G_j / H_jj, and a number p that moves the weights along g, as a scale does along its codes, by
 * (g · G) / (gᵀHg); each is rounded onto its own grid, and G follows. No step raises tr((W − Q)(H + λI)(W − Q)ᵀ) but for
 * the rounding of scales. Where GPTQ decides each column once, with the later ones still exact, this looks at a column
 * again once all are rounded.
 *
 * <p>The columns of a row go in units of {@value #UNIT} or a whole block. In a unit scales, minimums, what nested ones are
 * multiplied by, and codes are moved several times with the unit's own part of G kept up to date; what all that does to the
 * other columns is one product. Shapes: W and Q {@code [out, in]}, H {@code [in, in]}.
 */
public final class CoordinateDescent {
    private static final int TILE = 96;
    private static final int UNIT = 256;

    /** Columns whose codes are decided before the rest of the unit hears of it. */
    private static final int CHUNK = 32;

    private final QuantizedMatrix matrix;
    private final Grid grid;
    private final Matrix target;
    private final SecondMoment moment;
    private final FloatPanels hessian;
    private final float damped;
    private final int unitSize;
    private final int columns;

    private CoordinateDescent(
            QuantizedMatrix matrix, Matrix target, SecondMoment moment, FloatPanels hessian, double damping) {
        this.matrix = matrix;
        this.grid = matrix.grid();
        this.target = target;
        this.moment = moment;
        this.hessian = hessian;
        this.damped = (float) (damping * moment.meanDiagonal());
        this.unitSize = grid.blockSize() >= UNIT ? grid.blockSize() : UNIT / grid.blockSize() * grid.blockSize();
        this.columns = matrix.columns();
    }

    /**
     * Improves {@code matrix}, whose blocks are neighbours, in place.
     *
     * @param target what it should stand for
     * @param hessian {@code moment}, packed
     * @param damping as share of the mean diagonal, as in GPTQ
     * @param rounds of: scales, scales, codes, codes, scales
     */
    public static void refine(
            QuantizedMatrix matrix,
            Matrix target,
            SecondMoment moment,
            FloatPanels hessian,
            double damping,
            int rounds) {
        CoordinateDescent descent = new CoordinateDescent(matrix, target, moment, hessian, damping);
        IntStream.range(0, Math.ceilDiv(matrix.rows(), TILE)).parallel().forEach(tile -> {
            int first = tile * TILE;
            Tile rows = descent.new Tile(first, Math.min(TILE, matrix.rows() - first));
            for (int round = 0; round < rounds; round++) {
                for (int start = 0; start < descent.columns; start += descent.unitSize) {
                    rows.improve(start, Math.min(descent.unitSize, descent.columns - start));
                }
            }
        });
    }

    /** A few rows, and the unit of columns they are at. */
    private final class Tile {
        private final int first;
        private final int rows;
        /** (W − Q)(H + λI) {@code [rows, columns]}. */
        private final float[] gradient;
        /** How much the unit's weights grew {@code [rows, size]}. */
        private final float[] change;
        /** Along what the weights of some columns move {@code [rows, count]}. */
        private final float[] direction;
        /** direction · H, the unit's columns {@code [rows, size]}. */
        private final float[] bend;

        private final float[] corner = new float[CHUNK * CHUNK];
        private final float[] local = new float[CHUNK];
        private int start;
        private int size;

        Tile(int first, int rows) {
            this.first = first;
            this.rows = rows;
            this.gradient = new float[rows * columns];
            this.change = new float[rows * unitSize];
            this.direction = new float[rows * unitSize];
            this.bend = new float[rows * unitSize];
            float[] error = new float[rows * columns];
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < columns; column++) {
                    double wanted = moment.dead(column) ? 0 : target.at(first + row, column);
                    int at = row * columns + column;
                    error[at] = (float) (wanted - matrix.value(first + row, column));
                    gradient[at] = damped * error[at];
                }
            }
            FloatProduct.add(FloatView.of(gradient, rows, columns), 1, FloatView.of(error, rows, columns), hessian);
        }

        /** Moves everything in a unit, then lets the other columns know. */
        void improve(int start, int size) {
            this.start = start;
            this.size = size;
            Arrays.fill(change, 0);
            moveScales();
            moveScales();
            moveCodes();
            moveCodes();
            moveScales();
            follow(0, start);
            follow(start + size, columns);
        }

        /** G −= change · H for the columns from {@code from} to {@code to}, which are outside the unit. */
        private void follow(int from, int to) {
            if (from < to) {
                FloatView part = FloatView.of(gradient, rows, columns).part(0, from, rows, to - from);
                FloatProduct.add(part, -1, FloatView.of(change, rows, size), hessian, start, from);
            }
        }

        private void moveScales() {
            int subSize = grid.subSize();
            boolean bases = switch (grid.scheme().offset()) {
                case Offset.None none -> false;
                case Offset.Zero zero -> false;
                case Offset.Minimum minimum -> true;
                case Offset.MinimumCodes codes -> true;
            };
            for (int at = start; at < start + size; at += subSize) {
                int sub = at / subSize;
                moveAlong(
                        at,
                        subSize,
                        this::levelFromZero,
                        (row, by) -> matrix.moveStep(row, sub, matrix.step(row, sub) + by));
                if (bases) {
                    moveAlong(
                            at,
                            subSize,
                            (row, column) -> 1,
                            (row, by) -> matrix.moveBase(row, sub, matrix.base(row, sub) + by));
                }
            }
            if (grid.scheme().scaleCodes().isPresent()) {
                moveNested(bases);
            }
        }

        private void moveNested(boolean bases) {
            int blockSize = grid.blockSize();
            for (int at = start; at < start + size; at += blockSize) {
                int block = at / blockSize;
                moveAlong(
                        at,
                        blockSize,
                        (row, column) -> matrix.scaleCode(row, column / grid.subSize()) * matrix.level(row, column),
                        (row, by) -> matrix.moveScale(row, block, matrix.scale(row, block) + by));
                if (bases) {
                    moveAlong(
                            at,
                            blockSize,
                            (row, column) -> -matrix.minimumCode(row, column / grid.subSize()),
                            (row, by) -> matrix.moveMinimum(row, block, matrix.minimum(row, block) + by));
                }
            }
        }

        private float levelFromZero(int row, int column) {
            float level = matrix.level(row, column);
            return grid.scheme().offset() instanceof Offset.Zero
                    ? level - matrix.minimumCode(row, column / grid.subSize())
                    : level;
        }

        /** Moves one number of each row along {@code along} by what is best for {@code count} columns from {@code at}. */
        private void moveAlong(int at, int count, Direction along, Move move) {
            for (int row = 0; row < rows; row++) {
                for (int i = 0; i < count; i++) {
                    direction[row * count + i] = along.of(first + row, at + i);
                }
            }
            bendUnit(at, count);
            for (int row = 0; row < rows; row++) {
                double slope = 0;
                double curvature = 0;
                for (int i = 0; i < count; i++) {
                    float step = direction[row * count + i];
                    slope += step * gradient[row * columns + at + i];
                    curvature += step * (bend[row * size + at - start + i] + damped * step);
                }
                double moved = curvature > 0 ? move.by(first + row, slope / curvature) : 0;
                if (moved != 0) {
                    take(row, at, count, (float) moved);
                }
            }
        }

        /** bend = direction · H. */
        private void bendUnit(int at, int count) {
            Arrays.fill(bend, 0, rows * size, 0);
            FloatProduct.add(
                    FloatView.of(bend, rows, size), 1, FloatView.of(direction, rows, count), hessian, at, start);
        }

        /** The row's weights grew by {@code moved} times its direction. */
        private void take(int row, int at, int count, float moved) {
            Elementwise.addScaled(bend, row * size, -moved, gradient, row * columns + start, size);
            for (int i = 0; i < count; i++) {
                float grown = moved * direction[row * count + i];
                gradient[row * columns + at + i] -= damped * grown;
                change[row * size + at - start + i] += grown;
            }
        }

        private void moveCodes() {
            for (int at = start; at < start + size; at += CHUNK) {
                int count = Math.min(CHUNK, start + size - at);
                for (int i = 0; i < count; i++) {
                    hessian.copyRow(at + i, at, count, corner, i * CHUNK);
                    corner[i * CHUNK + i] += damped;
                }
                boolean moved = false;
                for (int row = 0; row < rows; row++) {
                    moved |= moveCodes(row, at, count);
                }
                if (moved) {
                    bendUnit(at, count);
                    for (int row = 0; row < rows; row++) {
                        take(row, at, count, 1);
                    }
                }
            }
        }

        /** Decides codes one after the other; leaves in {@link #direction} how much the weights grew. */
        private boolean moveCodes(int row, int at, int count) {
            System.arraycopy(gradient, row * columns + at, local, 0, count);
            boolean any = false;
            for (int i = 0; i < count; i++) {
                double before = matrix.value(first + row, at + i);
                double best = before + local[i] / corner[i * CHUNK + i];
                float moved = (float) (matrix.round(first + row, at + i, best) - before);
                direction[row * count + i] = moved;
                if (moved != 0) {
                    any = true;
                    Elementwise.addScaled(corner, i * CHUNK, -moved, local, 0, count);
                }
            }
            return any;
        }
    }

    /** How fast a weight grows with a number. */
    @FunctionalInterface
    private interface Direction {
        float of(int row, int column);
    }

    /** Moves a number of a row towards {@code by} more than it is; returns by how much it did grow. */
    @FunctionalInterface
    private interface Move {
        double by(int row, double by);
    }
}
