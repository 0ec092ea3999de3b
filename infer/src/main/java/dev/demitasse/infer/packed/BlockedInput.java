package dev.demitasse.infer.packed;

import dev.demitasse.infer.parallel.Workers;
import java.util.concurrent.ConcurrentHashMap;
import java.util.List;
import java.util.Map;

/**
 * Inputs {@code [tokens, width]} rounded to signed 8 bits with a scale for each 32 columns: the largest magnitude becomes
 * 127. Tokens are gathered in tiles, in which all that a kernel reads for a stretch of columns of all tokens is adjacent:
 * codes {@code [stretch, token, 32]}, scales {@code [stretch, token]}. Of the last tile, which may be smaller, too.
 */
final class BlockedInput {
    /** Tokens in a full tile: as many as there are registers for. */
    static final int TILE = 12;

    private static final int STRETCH = PackedLayout.STRETCH;
    private static final int HALF = STRETCH / 2;

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
    BlockedInput(float[] values, int tokens, int width, Workers workers) {
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
            int place = (tile * TILE * stretches()) + stretch * count + inTile;
            float largest = 0;
            for (int i = from; i < from + STRETCH; i++) {
                largest = Math.max(largest, Math.abs(values[i]));
            }
            float factor = largest > 0 ? 127 / largest : 0;
            int to = place * STRETCH;
            for (int half = 0; half < 2; half++) {
                int sum = 0;
                for (int i = 0; i < HALF; i++) {
                    int at = half * HALF + i;
                    // Adding and taking off 1.5 · 2²³ rounds to the nearest integer, ties to even.
                    int code = (int) (values[from + at] * factor + 0x1.8p23f - 0x1.8p23f);
                    codes[to + at] = (byte) code;
                    sum += code;
                }
                halfSums[(tile * TILE * stretches() + stretch * count) * 2 + half * count + inTile] = sum;
            }
            scales[place] = largest / 127;
        }
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
