package dev.demitasse.quantize.matrix;

/**
 * The moment of two activations of the same tokens, 2/N · YᵀX {@code [left, right]}, Y {@code [tokens, left]} and X
 * {@code [tokens, right]}: normalised and summed as a {@link Hessian} is.
 */
public final class CrossMoment {
    private final int left;
    private final int right;
    private final double[] sums;
    private final TokenPanels leftPanels;
    private final TokenPanels rightPanels;
    private long tokens;

    public CrossMoment(int left, int right) {
        this.left = left;
        this.right = right;
        this.sums = new double[Math.multiplyExact(left, right)];
        this.leftPanels = new TokenPanels(left);
        this.rightPanels = new TokenPanels(right);
    }

    /** Adds {@code tokens} rows of {@code y} and of {@code x}, row-major. */
    public void add(float[] y, float[] x, int tokens) {
        for (int first = 0; first < tokens; first += TokenPanels.TOKENS) {
            int count = Math.min(TokenPanels.TOKENS, tokens - first);
            leftPanels.load(y, first, count);
            rightPanels.load(x, first, count);
            TokenPanels.addProduct(sums, leftPanels, rightPanels, false);
        }
        this.tokens += tokens;
    }

    /** A copy of the matrix {@code [left, right]}. */
    public View moment() {
        if (tokens == 0) {
            throw new IllegalStateException("no activations were added");
        }
        double[] matrix = new double[sums.length];
        for (int i = 0; i < matrix.length; i++) {
            matrix[i] = sums[i] * 2 / tokens;
        }
        return View.of(matrix, left, right);
    }
}
