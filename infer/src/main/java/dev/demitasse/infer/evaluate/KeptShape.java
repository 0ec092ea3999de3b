package dev.demitasse.infer.evaluate;

/**
 * The rows of a file of kept predictions: one for each scored token, in the order of the text.
 *
 * @param vocabulary tokens to predict
 * @param windows of the text
 * @param length tokens of a window
 * @param firstScored index of a window's first scored token
 * @param keeping what a row holds
 */
record KeptShape(int vocabulary, int windows, int length, int firstScored, Keeping keeping) {
    /** ln Σ e^logit, the tail's ln of its share, the right token's logit, four bytes of nothing. */
    private static final long FIXED = 2 * Double.BYTES + 2 * Float.BYTES;

    /** Scored tokens of a window. */
    int scored() {
        return length - firstScored;
    }

    long rows() {
        return (long) windows * scored();
    }

    /** A multiple of four. */
    long rowBytes() {
        return keeping.whole()
                ? (long) vocabulary * Float.BYTES
                : FIXED + (keeping.top() + (long) keeping.samples()) * (Integer.BYTES + Float.BYTES);
    }

    /** @throws ArithmeticException if it passes 2^63 */
    long bytes() {
        return Math.multiplyExact(rows(), rowBytes());
    }
}
