package dev.demitasse.infer.packed;

/**
 * Multiplies groups of a packed matrix with a tile of inputs. All kernels compute the same: over each part of a stretch
 * the products of codes are summed as 32-bit integers; in float32, for part after part, first
 * {@code y = fma(sum, (scale · scaleCode) · inputScale, y)}, then, if the layout has minimums,
 * {@code y = fma(minimum · minimumCode, −inputScale · Σ input codes, y)}.
 */
interface PackedKernel {
    /**
     * Writes the sums of rows of {@code groups} groups from {@code firstGroup} for every token of {@code tile}: of row r and
     * token t at {@code y[at + t · stride + r]}, r from the first group's first row on, rows past the matrix's last included.
     */
    void multiply(
            PackedMatrix matrix,
            int firstGroup,
            int groups,
            BlockedInput input,
            int tile,
            float[] y,
            int at,
            int stride);
}
