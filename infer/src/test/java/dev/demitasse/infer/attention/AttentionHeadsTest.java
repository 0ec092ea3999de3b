package dev.demitasse.infer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.Positions;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention against the formula in double precision, at sizes that nothing divides. */
class AttentionHeadsTest {
    private static final int TOKENS = 700;

    /** Queries, keys and values of {@link #TOKENS} positions. */
    private record Inputs(Attention attention, float[] queries, float[] keys, float[] values) {
        static Inputs random(Attention attention) {
            Random random = new Random(3);
            return new Inputs(
                    attention,
                    gaussian(random, TOKENS * attention.queryWidth()),
                    gaussian(random, TOKENS * attention.keyValueWidth()),
                    gaussian(random, TOKENS * attention.keyValueWidth()));
        }

        private static float[] gaussian(Random random, int count) {
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) random.nextGaussian();
            }
            return values;
        }

        /** What query {@code token} of {@code head} sees of the positions before {@code end}. */
        double[] expected(int token, int head, int end) {
            int dimension = attention.headDimension();
            int keyValueHead = head / attention.groupSize();
            int first = Math.max(0, end - attention.slidingWindow());
            double[] weights = new double[end];
            double sum = 0;
            for (int position = first; position < end; position++) {
                double score = 0;
                for (int d = 0; d < dimension; d++) {
                    score += (double) queries[token * attention.queryWidth() + head * dimension + d]
                            * keys[position * attention.keyValueWidth() + keyValueHead * dimension + d];
                }
                weights[position] = Math.exp(attention.scale() * score);
                sum += weights[position];
            }
            double[] expected = new double[dimension];
            for (int position = first; position < end; position++) {
                for (int d = 0; d < dimension; d++) {
                    expected[d] += weights[position]
                            / sum
                            * values[position * attention.keyValueWidth() + keyValueHead * dimension + d];
                }
            }
            return expected;
        }

        double largestError(float[] output, boolean causal) {
            double worst = 0;
            int dimension = attention.headDimension();
            for (int token = 0; token < TOKENS; token += 13) {
                for (int head = 0; head < attention.heads(); head++) {
                    double[] expected = expected(token, head, causal ? token + 1 : TOKENS);
                    for (int d = 0; d < dimension; d++) {
                        double ours = output[token * attention.queryWidth() + head * dimension + d];
                        worst = Math.max(worst, Math.abs(ours - expected[d]));
                    }
                }
            }
            return worst;
        }

        /** In pieces of so many tokens. */
        float[] attend(Workers workers, CacheType type, boolean causal, int... pieces) {
            AttentionHeads heads = new AttentionHeads(attention, new Positions.None(), causal, workers, new TilePool());
            LayerCache cache = LayerCache.create(attention, TOKENS, type);
            float[] output = new float[queries.length];
            int token = 0;
            for (int piece = 0; token < TOKENS; piece++) {
                int count = Math.min(pieces[piece % pieces.length], TOKENS - token);
                float[] seen = heads.attend(
                        rows(queries, token, count),
                        rows(keys, token, count),
                        rows(values, token, count),
                        count,
                        cache,
                        new boolean[0]);
                System.arraycopy(seen, 0, output, token * attention.queryWidth(), seen.length);
                token += count;
            }
            assertThat(cache.position()).isEqualTo(TOKENS);
            return output;
        }

        private static float[] rows(float[] all, int row, int count) {
            int width = all.length / TOKENS;
            return Arrays.copyOfRange(all, row * width, (row + count) * width);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 5", "8, 2, 26", "3, 3, 64", "6, 1, 80", "32, 4, 64", "5, 5, 16", "9, 3, 33"})
    void equalsTheFormula(int heads, int keyValueHeads, int dimension) {
        for (int window : new int[] {Attention.FULL, 1, 70, 300}) {
            Inputs inputs =
                    Inputs.random(Attention.of(heads, keyValueHeads, dimension).withSlidingWindow(window));
            float[] output = inputs.attend(Workers.COMMON, CacheType.F32, true, TOKENS);
            assertThat(inputs.largestError(output, true)).isCloseTo(0, within(3e-6));
        }
        Inputs inputs = Inputs.random(Attention.of(heads, keyValueHeads, dimension));
        float[] output = inputs.attend(Workers.COMMON, CacheType.F32, false, TOKENS);
        assertThat(inputs.largestError(output, false)).isCloseTo(0, within(3e-6));
    }

    /** Token by token, in pieces or at once, by one thread or several: the same bits. */
    @ParameterizedTest
    @EnumSource(CacheType.class)
    void neitherThreadsNorPiecesChangeABit(CacheType type) {
        for (int window : new int[] {Attention.FULL, 90}) {
            Inputs inputs = Inputs.random(Attention.of(8, 2, 40).withSlidingWindow(window));
            float[] alone = inputs.attend(Workers.CALLER, type, true, 1);
            try (WorkerPool pool = new WorkerPool(3)) {
                assertThat(Arrays.equals(inputs.attend(pool, type, true, 1), alone))
                        .isTrue();
                assertThat(Arrays.equals(inputs.attend(pool, type, true, TOKENS), alone))
                        .isTrue();
                assertThat(Arrays.equals(inputs.attend(pool, type, true, 5, 1, 130, 2), alone))
                        .isTrue();
            }
        }
    }

    /** Errors of a value's rounding: half of 2⁻¹¹ of it, or half of 1/127 of the largest of 32. */
    @ParameterizedTest
    @CsvSource({"F16, 1e-3", "Q8_0, 2e-2"})
    void shorterFormatsAreNear(CacheType type, double tolerance) {
        for (int dimension : new int[] {26, 64, 80}) {
            Inputs inputs = Inputs.random(Attention.of(4, 2, dimension));
            float[] output = inputs.attend(Workers.COMMON, type, true, 100);
            assertThat(inputs.largestError(output, true)).isBetween(1e-6, tolerance);
        }
    }

    @Test
    void aCacheForgetsFromTheEnd() {
        Attention attention = Attention.of(2, 1, 8);
        Inputs inputs = Inputs.random(attention);
        AttentionHeads heads =
                new AttentionHeads(attention, new Positions.None(), true, Workers.CALLER, new TilePool());
        LayerCache cache = LayerCache.create(attention, TOKENS, CacheType.F32);
        boolean[] all = {};
        float[] first = heads.attend(inputs.queries, inputs.keys, inputs.values, TOKENS, cache, all);
        cache.truncate(130);
        int width = attention.keyValueWidth();
        float[] again = heads.attend(
                Arrays.copyOfRange(inputs.queries, 130 * attention.queryWidth(), 150 * attention.queryWidth()),
                Arrays.copyOfRange(inputs.keys, 130 * width, 150 * width),
                Arrays.copyOfRange(inputs.values, 130 * width, 150 * width),
                20,
                cache,
                all);
        assertThat(again)
                .isEqualTo(Arrays.copyOfRange(first, 130 * attention.queryWidth(), 150 * attention.queryWidth()));
        assertThatThrownBy(() -> cache.truncate(151)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> heads.attend(inputs.queries, inputs.keys, inputs.values, TOKENS, cache, all))
                .isInstanceOf(InvalidRequestException.class);
    }

    /** Of a window what is gone cannot come back, and what is not can. */
    @Test
    void aWindowedCacheForgetsAsFarAsItRemembers() {
        Attention attention = Attention.of(1, 1, 4).withSlidingWindow(30);
        LayerCache cache = LayerCache.create(attention, 4000, CacheType.F32);
        float[] rows = new float[4000 * 4];
        for (int i = 0; i < 3900; i += 100) {
            cache.append(rows, rows, 4, i, 100, Workers.CALLER);
        }
        assertThatThrownBy(() -> cache.truncate(3000)).isInstanceOf(IllegalArgumentException.class);
        cache.truncate(3800);
        assertThat(cache.position()).isEqualTo(3800);
        cache.truncate(0);
        assertThat(cache.position()).isZero();
    }
}
