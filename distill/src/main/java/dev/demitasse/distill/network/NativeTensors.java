package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.Arena;

/** Tensors to PyTorch's float32 arrays and back, a few million numbers at a time. */
public final class NativeTensors {
    /** Numbers that go through the Java heap at once. */
    private static final int CHUNK = 1 << 22;

    private NativeTensors() {}

    /** Decodes {@code tensor} into an array that {@code manager} owns. */
    public static NDArray load(NDManager manager, Tensor tensor) {
        NDArray array = manager.zeros(new Shape(tensor.shape()), DataType.FLOAT32);
        copy(tensor, array);
        return array;
    }

    /** Decodes {@code tensor} into {@code array}, which has its shape. */
    public static void copy(Tensor tensor, NDArray array) {
        int columns = tensor.columns();
        int rows = tensor.rows();
        try (NDArray matrix = array.reshape(rows, columns)) {
            int step = Math.max(1, CHUNK / Math.max(1, columns));
            for (int from = 0; from < rows; from += step) {
                int count = Math.min(step, rows - from);
                float[] values = new float[count * columns];
                for (int row = 0; row < count; row++) {
                    tensor.readRow(from + row, values, row * columns);
                }
                try (NDArray piece = array.getManager().create(values, new Shape(count, columns))) {
                    matrix.set(new NDIndex("{}:{}", from, from + count), piece);
                }
            }
        }
    }

    /** The array's numbers as F32, in memory of {@code arena}. */
    public static Tensor save(Arena arena, String name, NDArray array) {
        long[] shape = array.getShape().getShape();
        Tensor tensor = new Tensor(
                name, ScalarFormat.F32, shape, arena.allocate(ScalarFormat.F32.bytes(Tensor.elements(shape)), 64));
        int columns = tensor.columns();
        int rows = tensor.rows();
        try (NDArray matrix = array.reshape(rows, columns)) {
            int step = Math.max(1, CHUNK / Math.max(1, columns));
            for (int from = 0; from < rows; from += step) {
                int count = Math.min(step, rows - from);
                float[] values;
                try (NDArray piece = matrix.get(new NDIndex("{}:{}", from, from + count))) {
                    values = piece.toFloatArray();
                }
                for (int row = 0; row < count; row++) {
                    tensor.writeRow(from + row, values, row * columns);
                }
            }
        }
        return tensor;
    }
}
