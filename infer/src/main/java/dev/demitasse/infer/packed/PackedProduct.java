package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import java.lang.foreign.Arena;
import java.util.Optional;

/** y = x · Wᵀ over a packed matrix, by the kernels that were asked for. */
public final class PackedProduct {
    /** Up to here the Vector API multiplies token by token, beyond in float panels. */
    private static final int FEW_TOKENS = 4;

    /** Of packed weights that one part of the work covers: they stay in the second cache for all tiles of tokens. */
    private static final int PART_BYTES = 192 << 10;

    private final PackedMatrix matrix;
    private final PackedKernel kernel;

    private PackedProduct(PackedMatrix matrix, PackedKernel kernel) {
        this.matrix = matrix;
        this.kernel = kernel;
    }

    /**
     * Packs a tensor into memory of {@code arena}, which is to be shared.
     *
     * @return empty if its format has no packed form, or {@code kernels} are {@link Kernels#EXACT}
     */
    public static Optional<PackedProduct> of(Tensor tensor, Kernels kernels, Arena arena, Workers workers) {
        return tensor.format() instanceof BlockFormat format
                ? kernel(kernels, format).flatMap(kernel -> of(tensor, kernel, arena, workers))
                : Optional.empty();
    }

    private static Optional<PackedKernel> kernel(Kernels kernels, BlockFormat format) {
        return switch (kernels) {
            case EXACT -> Optional.empty();
            case AUTO, EMITTED -> Optional.of(EmittedKernel.runs(format) ? EmittedKernel.INSTANCE : new VectorKernel());
            case VECTOR -> Optional.of(new VectorKernel());
            case SCALAR -> Optional.of(new ScalarKernel());
        };
    }

    private static Optional<PackedProduct> of(Tensor tensor, PackedKernel kernel, Arena arena, Workers workers) {
        int lanes = kernel instanceof EmittedKernel ? ProductCode.LANES : Lanes.COUNT;
        return PackedMatrix.of(tensor, lanes, arena, workers).map(matrix -> new PackedProduct(matrix, kernel));
    }

    public int rows() {
        return matrix.rows();
    }

    public int columns() {
        return matrix.columns();
    }

    /** Whether so many tokens are multiplied as floats. */
    public boolean takesFloats(int tokens) {
        return kernel instanceof VectorKernel && tokens > FEW_TOKENS;
    }

    /** y {@code [tokens, rows]} of inputs as floats. */
    public void multiply(FloatTiles x, float[] y, Workers workers) {
        new PanelProduct(matrix, x, y).run(workers);
    }

    /** y {@code [tokens, rows]} of rounded inputs. */
    public void multiply(BlockedInput x, float[] y, Workers workers) {
        int groupsAPart = (int) Math.max(1, PART_BYTES / matrix.groupBytes());
        int parts = Math.ceilDiv(matrix.groups(), groupsAPart);
        workers.worth((long) matrix.rows() * matrix.columns() * x.tokens()).run(parts, part -> {
            int first = part * groupsAPart;
            multiply(x, y, first, Math.min(groupsAPart, matrix.groups() - first));
        });
    }

    private void multiply(BlockedInput x, float[] y, int firstGroup, int groups) {
        int lanes = matrix.layout().lanes();
        int rows = matrix.rows();
        int whole = Math.min(groups, rows / lanes - firstGroup);
        float[] last = new float[whole < groups ? BlockedInput.TILE * lanes : 0];
        for (int tile = 0; tile < x.tiles(); tile++) {
            int token = tile * BlockedInput.TILE;
            if (whole > 0) {
                kernel.multiply(matrix, firstGroup, whole, x, tile, y, token * rows + firstGroup * lanes, rows);
            }
            if (whole < groups) {
                int first = (firstGroup + whole) * lanes;
                kernel.multiply(matrix, firstGroup + whole, 1, x, tile, last, 0, lanes);
                for (int i = 0; i < x.tokens(tile); i++) {
                    System.arraycopy(last, i * lanes, y, (token + i) * rows + first, rows - first);
                }
            }
        }
    }
}
