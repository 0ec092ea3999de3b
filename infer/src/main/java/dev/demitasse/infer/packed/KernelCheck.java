package dev.demitasse.infer.packed;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.BlockScheme;
import dev.demitasse.model.format.Levels;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Whether two kernels multiply alike, tried on random numbers. */
final class KernelCheck {
    private static final int ROWS = 2 * ProductCode.LANES;
    private static final int COLUMNS = 512;
    private static final int TOKENS = BlockedInput.TILE + 1;

    private KernelCheck() {}

    /** On a small matrix of {@code format} with a full tile of tokens and with one. */
    static boolean agree(PackedKernel one, PackedKernel other, BlockFormat format) {
        SplittableRandom random = new SplittableRandom(42);
        Tensor weight = randomWeight(random, format);
        BlockedInput input = new BlockedInput(gaussian(random, TOKENS * COLUMNS), TOKENS, COLUMNS, Workers.CALLER);
        try (Arena arena = Arena.ofConfined()) {
            PackedMatrix matrix = PackedMatrix.of(weight, ProductCode.LANES, arena, Workers.CALLER)
                    .orElseThrow();
            for (int tile = 0; tile < input.tiles(); tile++) {
                float[] first = new float[TOKENS * ROWS];
                float[] second = new float[TOKENS * ROWS];
                one.multiply(matrix, 0, matrix.groups(), input, tile, first, 0, ROWS);
                other.multiply(matrix, 0, matrix.groups(), input, tile, second, 0, ROWS);
                if (!Arrays.equals(first, second)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static Tensor randomWeight(SplittableRandom random, BlockFormat format) {
        Tensor weight = Tensor.allocate("weight", format, ROWS, COLUMNS);
        BlockScheme scheme = format.scheme();
        BlockNumbers numbers = new BlockNumbers(scheme);
        long bytes = format.bytesPerBlock();
        for (long at = 0; at < weight.data().byteSize(); at += bytes) {
            numbers.scale = (float) random.nextDouble(0.001, 0.1);
            numbers.minimum = (float) random.nextDouble(0.001, 0.1);
            for (int i = 0; i < numbers.codes.length; i++) {
                numbers.codes[i] = (byte)
                        switch (scheme.levels()) {
                            case Levels.Integers levels -> random.nextInt(levels.least(), levels.greatest() + 1);
                            case Levels.Table table -> random.nextInt(table.count());
                        };
            }
            for (int sub = 0; sub < scheme.subBlocks(); sub++) {
                numbers.scaleCodes[sub] = scheme.scaleCodes()
                        .map(codes -> (byte) random.nextInt(codes.least(), codes.greatest() + 1))
                        .orElse((byte) 1);
                numbers.minimumCodes[sub] = (byte) random.nextInt(8);
            }
            format.pack(numbers, weight.data(), at);
        }
        return weight;
    }

    private static float[] gaussian(SplittableRandom random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
