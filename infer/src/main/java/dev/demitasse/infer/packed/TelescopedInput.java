package dev.demitasse.infer.packed;

/**
 * One token's codes as factors of shifted, unmasked words of packed weights. A word w holds fields f₀, f₁, … at rising bits
 * p₀ &lt; p₁ &lt; …, so that w ≫ pᵢ is fᵢ and, above it, all fields after: with m₀ = a₀ and
 * mᵢ = aᵢ − 2^(pᵢ − pᵢ₋₁) · aᵢ₋₁, Σ (w ≫ pᵢ) · mᵢ = Σ fᵢ · aᵢ modulo the word's size, and no field need be cut out.
 *
 * <p>Fields of up to four bits are summed in words of 16 bits, which hold the sum of 16 products of an input of 8 bits and a
 * code of 4 (16 · 127 · 15 &lt; 2¹⁵); the factors of a row's two words, which hold columns of their own, are the halves of an
 * int. Bytes are summed in words of 32.
 */
final class TelescopedInput {
    private static final int STRETCH = PackedLayout.STRETCH;

    private TelescopedInput() {}

    /** Factors of every stretch for one plane; in the order in which kernels take the plane's vectors and their fields. */
    static int[] of(Plane plane, int parts, BlockedInput input, int tile, int token) {
        int perStretch = plane.bits() == 8 ? STRETCH : STRETCH / 2;
        int[] factors = new int[input.stretches() * perStretch];
        int[] codes = new int[STRETCH];
        for (int stretch = 0; stretch < input.stretches(); stretch++) {
            int from = (input.first(tile) + stretch * input.tokens(tile) + token) * STRETCH;
            for (int column = 0; column < STRETCH; column++) {
                codes[column] = input.codes()[from + column];
            }
            int at = stretch * perStretch;
            switch (plane.bits()) {
                case 8 -> bytes(codes, factors, at);
                case 4 -> nibbles(codes, factors, at);
                case 2 -> pairs(codes, factors, at);
                case 1 -> bits(codes, parts, factors, at);
                default -> throw new IllegalStateException(plane.toString());
            }
        }
        return factors;
    }

    private static void bytes(int[] codes, int[] factors, int at) {
        for (int column = 0; column < STRETCH; column++) {
            factors[at + column] = codes[column] - (column % 4 == 0 ? 0 : codes[column - 1] << 8);
        }
    }

    /** A word's nibbles are those of its first byte, columns 4 apart, then those of its second. */
    private static void nibbles(int[] codes, int[] factors, int at) {
        for (int i = 0; i < STRETCH / 2; i++) {
            int column = i / 4 * 8 + i % 4 / 2 + i % 2 * 4;
            int before = i % 2 == 1 ? column - 4 : column + 3;
            factors[at + i] = pair(codes, column, before, i % 4 == 0 ? 0 : 4);
        }
    }

    private static void pairs(int[] codes, int[] factors, int at) {
        for (int i = 0; i < STRETCH / 2; i++) {
            int column = i / 8 * 16 + i % 8 / 4 + i % 4 * 4;
            int before = i % 4 == 0 ? column + 11 : column - 4;
            factors[at + i] = pair(codes, column, before, i % 8 == 0 ? 0 : 2);
        }
    }

    /** The fields of a part are four neighbours of each byte, which kernels do cut out if there are two parts. */
    private static void bits(int[] codes, int parts, int[] factors, int at) {
        int run = 8 / parts;
        for (int i = 0; i < STRETCH / 2; i++) {
            int inPart = i % (2 * run);
            int column = i / (2 * run) * 16 + inPart / run + inPart % run * 4;
            int before = inPart % run == 0 ? column - 1 + 4 * (run - 1) : column - 4;
            int distance = inPart == 0 ? 0 : inPart % run == 0 ? 9 - run : 1;
            factors[at + i] = pair(codes, column, before, distance);
        }
    }

    /** The factors of a field of both words, whose columns are two apart. */
    private static int pair(int[] codes, int column, int before, int distance) {
        int low = codes[column] - (distance == 0 ? 0 : codes[before] << distance);
        int high = codes[column + 2] - (distance == 0 ? 0 : codes[before + 2] << distance);
        return low & 0xffff | high << 16;
    }
}
