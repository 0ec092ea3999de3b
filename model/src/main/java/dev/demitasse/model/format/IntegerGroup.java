package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Groups of integers under a float16 scale, as GPTQ, AWQ, compressed-tensors and ONNX's MatMulNBits have them:
 * w = scale · code where symmetric, else w = scale · (code − zero) with a zero for each group.
 * Bytes: {@code scale[2] zero[0|1] codes[bits · group / 8]}; of 4 bits a group's first half lies in the low, its second in the
 * high halves of the bytes; of 3 bits the lower two come first, a fourth of the group at a time, then the third.
 *
 * @param bits of a code: 3 or 4
 * @param group elements under a scale: 32, 64 or 128
 * @param symmetric whether code 0 stands for 0
 */
public record IntegerGroup(int bits, int group, boolean symmetric) implements BlockFormat {
    public IntegerGroup {
        if (bits != 3 && bits != 4 || group != 32 && group != 64 && group != 128) {
            throw new IllegalArgumentException("groups of %d in %d bits".formatted(group, bits));
        }
    }

    /** All there are. */
    static List<IntegerGroup> all() {
        List<IntegerGroup> all = new ArrayList<>();
        for (int bits : new int[] {3, 4}) {
            for (int group : new int[] {32, 64, 128}) {
                all.add(new IntegerGroup(bits, group, true));
                all.add(new IntegerGroup(bits, group, false));
            }
        }
        return all;
    }

    @Override
    public String id() {
        return "int%d_g%d%s".formatted(bits, group, symmetric ? "" : "_asym");
    }

    @Override
    public BlockScheme scheme() {
        int half = 1 << bits - 1;
        return symmetric
                ? BlockScheme.scaled(group, new Levels.Integers(-half, half - 1))
                : BlockScheme.offset(group, new Levels.Integers(0, 2 * half - 1), new Offset.Zero());
    }

    @Override
    public int bytesPerBlock() {
        return codes() + bits * group / 8;
    }

    private int codes() {
        return symmetric ? Halves.BYTES : Halves.BYTES + 1;
    }

    /** What is added to a code before it is stored. */
    private int bias() {
        return symmetric ? 1 << bits - 1 : 0;
    }

    private BitPlane lower() {
        return bits == 4 ? new BitPlane(group / 2, 4) : new BitPlane(group / 4, 2);
    }

    private BitPlane third() {
        return new BitPlane(group / 8, 1);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        if (!symmetric) {
            target.set(ValueLayout.JAVA_BYTE, offset + Halves.BYTES, numbers.minimumCodes[0]);
        }
        lower().put(numbers.codes, bias(), 0, target, offset + codes());
        if (bits == 3) {
            third().put(numbers.codes, bias(), 2, target, offset + codes() + group / 4);
        }
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        if (!symmetric) {
            numbers.minimumCodes[0] = source.get(ValueLayout.JAVA_BYTE, offset + Halves.BYTES);
        }
        lower().get(source, offset + codes(), numbers.codes, 0);
        if (bits == 3) {
            third().get(source, offset + codes() + group / 4, numbers.codes, 2);
        }
        BitPlane.subtract(bias(), numbers.codes);
    }
}
