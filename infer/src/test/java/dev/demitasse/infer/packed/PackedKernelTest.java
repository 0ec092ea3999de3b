package dev.demitasse.infer.packed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Packed products against weights decoded one by one and inputs rounded as {@link BlockedInput} says, and each other. */
class PackedKernelTest {
    private static final int ROWS = 37;
    private static final int COLUMNS = 768;
    private static final int TOKENS = 29;
    private static final int ENCODED = 3;

    static Stream<BlockFormat> formats() {
        return TensorFormat.all().stream()
                .filter(BlockFormat.class::isInstance)
                .map(BlockFormat.class::cast)
                .filter(format -> PackedLayout.of(format, 16).isPresent());
    }

    @ParameterizedTest
    @MethodSource("formats")
    void plainKernelMultipliesWhatTheFormatDecodes(BlockFormat format) {
        for (int lanes : new int[] {4, 8, 16}) {
            Tensor weight = randomWeight(format);
            BlockedInput input = randomInput();
            float[] y = multiply(new ScalarKernel(), pack(weight, lanes), input);
            float[] row = new float[COLUMNS];
            for (int r = 0; r < ROWS; r++) {
                weight.readRow(r, row, 0);
                for (int token = 0; token < TOKENS; token++) {
                    double sum = 0;
                    double size = 0;
                    for (int column = 0; column < COLUMNS; column++) {
                        double product = row[column] * value(input, token, column);
                        sum += product;
                        size += Math.abs(product);
                    }
                    assertThat((double) y[token * stride(lanes) + r])
                            .as("%s, %d lanes, row %d, token %d", format.id(), lanes, r, token)
                            .isCloseTo(sum, within(1e-6 * size));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void machineCodeGivesTheSameBits(BlockFormat format) {
        assumeTrue(CpuFeatures.detect().vnni(), "no AVX-512 VNNI");
        PackedMatrix matrix = pack(randomWeight(format), 16);
        BlockedInput input = randomInput();
        assertThat(multiply(new EmittedKernel(), matrix, input)).isEqualTo(multiply(new ScalarKernel(), matrix, input));
    }

    @ParameterizedTest
    @MethodSource("formats")
    void vectorsGiveTheSameBits(BlockFormat format) {
        PackedMatrix matrix = pack(randomWeight(format), VectorKernel.LANES);
        BlockedInput input = randomInput();
        assertThat(multiply(new VectorKernel(), matrix, input)).isEqualTo(multiply(new ScalarKernel(), matrix, input));
    }

    /** Rows that repeat, in another order each time: to encode is slow. */
    private static Tensor randomWeight(BlockFormat format) {
        SplittableRandom random = new SplittableRandom(1);
        Tensor weight = Tensor.allocate("w", format, ROWS, COLUMNS);
        float[] row = new float[COLUMNS];
        for (int r = 0; r < ENCODED; r++) {
            for (int i = 0; i < COLUMNS; i++) {
                row[i] = (float) random.nextGaussian(0.01, 0.05);
            }
            weight.writeRow(r, row, 0);
        }
        for (int r = ENCODED; r < ROWS; r++) {
            long from = random.nextInt(ENCODED) * weight.rowBytes();
            MemorySegment.copy(weight.data(), from, weight.data(), r * weight.rowBytes(), weight.rowBytes());
        }
        return weight;
    }

    private static BlockedInput randomInput() {
        SplittableRandom random = new SplittableRandom(2);
        float[] x = new float[TOKENS * COLUMNS];
        for (int i = 0; i < x.length; i++) {
            x[i] = i / 32 % 7 == 0 ? 0 : (float) random.nextGaussian(0, 1 + i / 32 % 5);
        }
        return new BlockedInput(x, TOKENS, COLUMNS, Workers.CALLER);
    }

    private static double value(BlockedInput input, int token, int column) {
        int tile = token / BlockedInput.TILE;
        int place = input.first(tile) + column / 32 * input.tokens(tile) + token % BlockedInput.TILE;
        return (double) input.scales()[place] * input.codes()[place * 32 + column % 32];
    }

    private static PackedMatrix pack(Tensor weight, int lanes) {
        return PackedMatrix.of(weight, lanes, Arena.ofAuto(), Workers.CALLER).orElseThrow();
    }

    private static int stride(int lanes) {
        return Math.ceilDiv(ROWS, lanes) * lanes;
    }

    private static float[] multiply(PackedKernel kernel, PackedMatrix matrix, BlockedInput input) {
        int stride = stride(matrix.layout().lanes());
        float[] y = new float[TOKENS * stride];
        for (int tile = 0; tile < input.tiles(); tile++) {
            kernel.multiply(matrix, 0, matrix.groups(), input, tile, y, tile * BlockedInput.TILE * stride, stride);
        }
        return y;
    }
}
