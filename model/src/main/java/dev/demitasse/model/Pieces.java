package dev.demitasse.model;

import dev.demitasse.model.format.TensorFormat;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;

/** Puts a model's tensors together from what files hold, and takes them apart. */
public final class Pieces {
    private Pieces() {}

    /** Takes bytes of one of a file's tensors. */
    @FunctionalInterface
    public interface Sink {
        /**
         * @param name which tensor
         * @param at from which of its bytes
         */
        void write(String name, long at, MemorySegment bytes) throws IOException;
    }

    /**
     * The format of the tensor {@code name} that {@code pieces} make up, without putting it together.
     *
     * @param file gives the file's tensors, their shapes checked
     * @throws MalformedModelException if the pieces cannot be put together
     */
    public static TensorFormat format(String name, List<Piece> pieces, Function<Piece, Tensor> file) {
        TensorFormat format = file.apply(pieces.getFirst()).format();
        for (Piece piece : pieces) {
            Tensor part = file.apply(piece);
            if (!part.format().equals(format)) {
                throw new MalformedModelException(
                        "tensor '" + name + "'",
                        "is made of parts in %s and %s"
                                .formatted(format.id(), part.format().id()),
                        "take a checkpoint whose tensors have one type");
            }
            if (pieces.size() > 1 || !whole(piece)) {
                requireDivisible(part, piece);
            }
        }
        return format;
    }

    /**
     * The tensor {@code [shape]} that {@code pieces} make up: a view of the file's where it stands there in one run, else a
     * copy on the heap.
     *
     * @param file gives the file's tensors, their shapes checked
     */
    public static Tensor gather(String name, long[] shape, List<Piece> pieces, Function<Piece, Tensor> file) {
        TensorFormat format = format(name, pieces, file);
        Piece first = pieces.getFirst();
        if (pieces.size() == 1 && first.contiguous()) {
            MemorySegment stored = file.apply(first).data();
            long rowBytes = stored.byteSize() / storedRows(first);
            MemorySegment rows =
                    whole(first) ? stored : stored.asSlice(first.start() * rowBytes, first.rows() * rowBytes);
            return new Tensor(name, format, shape, rows);
        }
        Tensor together = Tensor.allocate(name, format, shape);
        for (Piece piece : pieces) {
            Tensor part = file.apply(piece);
            if (piece.transposed()) {
                gatherColumns(part, piece, together);
            } else {
                gatherRows(part, piece, together);
            }
        }
        return together;
    }

    /** Whether the piece is all of the file's tensor, as it stands there. */
    private static boolean whole(Piece piece) {
        return piece.contiguous() && piece.rows() == storedRows(piece);
    }

    /** Blocks of a vector cannot be told apart, nor those of a row whose elements are wanted by column. */
    private static void requireDivisible(Tensor stored, Piece piece) {
        if (stored.format().blockSize() > 1 && (piece.transposed() || piece.shape().length == 1)) {
            throw new MalformedModelException(
                    "tensor '" + stored.name() + "'",
                    "is in blocks of " + stored.format().id() + ", which cannot be divided here",
                    "start from the unquantized model");
        }
    }

    private static void gatherRows(Tensor part, Piece piece, Tensor whole) {
        long rowBytes = part.data().byteSize() / storedRows(piece);
        for (long run = 0; run < piece.count(); run++) {
            long from = (piece.start() + run * piece.stride()) * rowBytes;
            long to = (piece.at() + run * piece.run()) * rowBytes;
            MemorySegment.copy(part.data(), from, whole.data(), to, piece.run() * rowBytes);
        }
    }

    /** Elements are whole numbers of bytes: a block cannot lie across rows. */
    private static void gatherColumns(Tensor part, Piece piece, Tensor whole) {
        int size = part.format().bytesPerBlock();
        int inputs = whole.columns();
        for (long run = 0; run < piece.count(); run++) {
            long column = piece.start() + run * piece.stride();
            long row = piece.at() + run * piece.run();
            new Transposition(
                            part.data().asSlice(column * size),
                            inputs,
                            Math.toIntExact(piece.run()),
                            part.columns(),
                            size,
                            whole.data().asSlice(row * inputs * size))
                    .run();
        }
    }

    /**
     * Writes the rows of {@code tensor}, which has the file's format, to where {@code pieces} say. Transposed ones are
     * assembled row by row of the file, of which this tensor may fill only some columns.
     */
    public static void scatter(Tensor tensor, List<Piece> pieces, Sink sink) throws IOException {
        for (Piece piece : pieces) {
            if (piece.transposed()) {
                scatterColumns(tensor, piece, sink);
                continue;
            }
            long rowBytes = tensor.data().byteSize() / modelRows(tensor, pieces);
            for (long run = 0; run < piece.count(); run++) {
                long from = (piece.at() + run * piece.run()) * rowBytes;
                long to = (piece.start() + run * piece.stride()) * rowBytes;
                sink.write(piece.name(), to, tensor.data().asSlice(from, piece.run() * rowBytes));
            }
        }
    }

    private static long modelRows(Tensor tensor, List<Piece> pieces) {
        return pieces.stream().mapToLong(Piece::rows).sum();
    }

    private static void scatterColumns(Tensor tensor, Piece piece, Sink sink) throws IOException {
        int size = tensor.format().bytesPerBlock();
        long inputs = tensor.columns();
        long columns = piece.shape()[1];
        MemorySegment row = MemorySegment.ofArray(new byte[Math.toIntExact(piece.run() * size)]);
        for (long input = 0; input < inputs; input++) {
            for (long run = 0; run < piece.count(); run++) {
                for (long i = 0; i < piece.run(); i++) {
                    long output = piece.at() + run * piece.run() + i;
                    MemorySegment.copy(tensor.data(), (output * inputs + input) * size, row, i * size, size);
                }
                sink.write(piece.name(), (input * columns + piece.start() + run * piece.stride()) * size, row);
            }
        }
    }

    /** Rows of the file's tensor: elements of a vector. */
    private static long storedRows(Piece piece) {
        long[] shape = piece.shape();
        if (shape.length == 1) {
            return piece.stride() == 1 && piece.run() == 1 && piece.count() == 1 ? 1 : shape[0];
        }
        return Tensor.elements(shape) / shape[shape.length - 1];
    }
}
