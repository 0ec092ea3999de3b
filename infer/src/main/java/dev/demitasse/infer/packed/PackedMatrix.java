package dev.demitasse.infer.packed;

import dev.demitasse.infer.machine.LargeMemory;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A block-quantized matrix {@code [rows, columns]} in a {@link PackedLayout}; the last group is filled up with zeros. */
final class PackedMatrix {
    private final PackedLayout layout;
    private final int rows;
    private final int columns;
    private final MemorySegment data;

    private PackedMatrix(PackedLayout layout, int rows, int columns, MemorySegment data) {
        this.layout = layout;
        this.rows = rows;
        this.columns = columns;
        this.data = data;
    }

    /**
     * Packs a tensor into memory of {@code arena}, which is to be shared if there are several workers.
     *
     * @param lanes rows side by side
     * @return empty if its format has no {@link PackedLayout}
     */
    static Optional<PackedMatrix> of(Tensor tensor, int lanes, Arena arena, Workers workers) {
        if (!(tensor.format() instanceof BlockFormat format)) {
            return Optional.empty();
        }
        return PackedLayout.of(format, lanes).map(layout -> {
            int groups = Math.ceilDiv(tensor.rows(), lanes);
            long bytes = Math.multiplyExact(groups, (long) (tensor.columns() / layout.size()) * layout.blockBytes());
            MemorySegment data = LargeMemory.allocate(bytes, arena);
            PackedMatrix packed = new PackedMatrix(layout, tensor.rows(), tensor.columns(), data);
            workers.worth(tensor.elements())
                    .run(groups, group -> new Packer(tensor, format, layout).pack(group, data, packed.offset(group)));
            return packed;
        });
    }

    PackedLayout layout() {
        return layout;
    }

    int rows() {
        return rows;
    }

    int columns() {
        return columns;
    }

    MemorySegment data() {
        return data;
    }

    /** Groups of {@code lanes} rows, the last of them perhaps with fewer. */
    int groups() {
        return Math.ceilDiv(rows, layout.lanes());
    }

    /** Blocks in a row. */
    int blocks() {
        return columns / layout.size();
    }

    long groupBytes() {
        return (long) blocks() * layout.blockBytes();
    }

    /** Where a group begins. */
    long offset(int group) {
        return group * groupBytes();
    }
}
