package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.parallel.Workers;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Inputs {@code [tokens, width]} rounded to signed 8 bits with a scale for each 32 columns: the largest magnitude becomes
 * 127. Tokens are gathered in tiles, in which all that a kernel reads for a stretch of columns of all tokens is adjacent:
 * codes {@code [stretch, token, 32]}, scales {@code [stretch, token]}. Of the last tile, which may be smaller, too.
 */
public final class BlockedInput {
    /** Tokens in a full tile: as many as there are registers for. */
    static final int TILE = 12;

    private static final int STRETCH = PackedLayout.STRETCH;
    private static final int HALF = STRETCH / 2;
    private static final float ROUNDING = 0x1.8p23f;

    private final int tokens;
    private final int width;
    private final byte[] codes;
    private final float[] scales;
    private final int[] halfSums;
    private final Map<Integer, int[]> starts = new ConcurrentHashMap<>();
    private final Map<Integer, float[]> offsets = new ConcurrentHashMap<>();
    private final Map<List<Object>, int[]> factors = new ConcurrentHashMap<>();

    /**
     * @param values row-major
     * @param width a multiple of 32
     */
    public BlockedInput(float[] values, int tokens, int width, Workers workers) {
        if (width % STRETCH != 0) {
            throw new IllegalArgumentException("inputs of " + width);
        }
        this.tokens = tokens;
        this.width = width;
        this.codes = new byte[Math.multiplyExact(tokens, width)];
        this.scales = new float[tokens * stretches()];
        this.halfSums = new int[2 * tokens * stretches()];
        workers.worth((long) tokens * width * 4).run(tokens, token -> round(values, token));
    }

    private void round(float[] values, int token) {
        int tile = token / TILE;
        int inTile = token % TILE;
        int count = tokens(tile);
        for (int stretch = 0; stretch < stretches(); stretch++) {
            int from = token * width + stretch * STRETCH;
            int place = first(tile) + stretch * count + inTile;
            float largest = largest(values, from);
            float factor = largest > 0 ? 127 / largest : 0;
            scales[place] = largest / 127;
            int sums = 2 * (first(tile) + stretch * count) + inTile;
            halfSums[sums] = round(values, from, factor, codes, place * STRETCH);
            halfSums[sums + count] = round(values, from + HALF, factor, codes, place * STRETCH + HALF);
        }
    }

    /** The largest magnitude of a stretch. */
    private static float largest(float[] values, int from) {
        FloatVector largest = FloatVector.fromArray(Lanes.FLOAT, values, from).abs();
        for (int i = Lanes.COUNT; i < STRETCH; i += Lanes.COUNT) {
            largest = largest.max(
                    FloatVector.fromArray(Lanes.FLOAT, values, from + i).abs());
        }
        return largest.reduceLanes(VectorOperators.MAX);
    }

    /** Rounds half a stretch to the nearest integers, ties to even: adding 1.5 · 2²³ leaves no room for less. Their sum. */
    private static int round(float[] values, int from, float factor, byte[] codes, int to) {
        IntVector sum = IntVector.zero(Lanes.INT);
        for (int i = 0; i < HALF; i += Lanes.COUNT) {
            IntVector rounded = (IntVector) FloatVector.fromArray(Lanes.FLOAT, values, from + i)
                    .mul(factor)
                    .add(ROUNDING)
                    .sub(ROUNDING)
                    .convert(VectorOperators.F2I, 0);
            sum = sum.add(rounded);
            if (Lanes.BYTE_PARTS == 1) {
                ((ByteVector) rounded.convertShape(VectorOperators.I2B, Lanes.BYTE, 0)).intoArray(codes, to + i);
            } else {
                for (int lane = 0; lane < Lanes.COUNT; lane++) {
                    codes[to + i + lane] = (byte) rounded.lane(lane);
                }
            }
        }
        return sum.reduceLanes(VectorOperators.ADD);
    }

    int tokens() {
        return tokens;
    }

    int width() {
        return width;
    }

    int stretches() {
        return width / STRETCH;
    }

    int tiles() {
        return Math.ceilDiv(tokens, TILE);
    }

    /** Tokens of a tile. */
    int tokens(int tile) {
        return Math.min(TILE, tokens - tile * TILE);
    }

    /** Stretches of tokens before a tile's first: its scales begin there, its codes at 32 times that. */
    int first(int tile) {
        return tile * TILE * stretches();
    }

    byte[] codes() {
        return codes;
    }

    float[] scales() {
        return scales;
    }

    /** −bias · Σ codes over each part of a stretch, {@code [stretch, part, token]} by tile: what integer sums begin at. */
    int[] starts(int bias, int parts) {
        return starts.computeIfAbsent(bias << 2 | parts, key -> {
            int[] sums = sums(parts);
            for (int i = 0; i < sums.length; i++) {
                sums[i] *= -bias;
            }
            return sums;
        });
    }

    /** −scale · Σ codes over each part of a stretch, {@code [stretch, part, token]} by tile: what minimums are times. */
    float[] offsets(int parts) {
        return offsets.computeIfAbsent(parts, key -> {
            int[] sums = sums(parts);
            float[] products = new float[sums.length];
            for (int tile = 0; tile < tiles(); tile++) {
                int count = tokens(tile);
                for (int stretch = 0; stretch < stretches(); stretch++) {
                    int scalesAt = first(tile) + stretch * count;
                    for (int i = 0; i < parts * count; i++) {
                        int at = scalesAt * parts + i;
                        products[at] = -(scales[scalesAt + i % count] * sums[at]);
                    }
                }
            }
            return products;
        });
    }

    /** {@link TelescopedInput} factors of a token of a tile. */
    int[] factors(Plane plane, int parts, int tile, int token) {
        return factors.computeIfAbsent(
                List.of(plane, parts, tile, token), key -> TelescopedInput.of(plane, parts, this, tile, token));
    }

    private int[] sums(int parts) {
        if (parts == 2) {
            return halfSums.clone();
        }
        int[] sums = new int[halfSums.length / 2];
        for (int tile = 0; tile < tiles(); tile++) {
            int count = tokens(tile);
            for (int stretch = 0; stretch < stretches(); stretch++) {
                int at = first(tile) + stretch * count;
                for (int token = 0; token < count; token++) {
                    sums[at + token] = halfSums[2 * at + token] + halfSums[2 * at + count + token];
                }
            }
        }
        return sums;
    }
}
