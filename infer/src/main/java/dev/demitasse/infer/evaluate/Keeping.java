package dev.demitasse.infer.evaluate;

/**
 * How much of a reference's predictions a file keeps of each token: all logits, or those of the likeliest tokens and a
 * sample of the others.
 *
 * @param top how many of the likeliest; 0 for all tokens of the vocabulary
 * @param samples how many draws from the others
 */
public record Keeping(int top, int samples) {
    /** All logits: four bytes for every token of the vocabulary. */
    public static final Keeping WHOLE = new Keeping(0, 0);

    /** 2.6 kB a token, whatever the vocabulary. */
    public static final Keeping TOP = new Keeping(256, 64);

    /**
     * Bytes up to which a file is best kept whole, if nothing else is said: read from disk at a GB/s they still come faster
     * than a model computes them, and they may lie about for a while.
     */
    public static final long WHOLE_LIMIT = 512_000_000;

    /** The mean over fewer draws would not tell its error. */
    private static final int FEWEST_SAMPLES = 2;

    public Keeping {
        boolean whole = top == 0 && samples == 0;
        if (!whole && (top < 1 || samples < FEWEST_SAMPLES)) {
            throw new IllegalArgumentException("%d of the likeliest, %d samples".formatted(top, samples));
        }
    }

    /** {@link #WHOLE} where that takes at most {@code limit} bytes or no more than {@link #TOP} does, else {@link #TOP}. */
    public static Keeping within(long limit, long tokens, int vocabulary) {
        long whole = new KeptShape(vocabulary, 1, 2, 1, WHOLE).rowBytes();
        long top = new KeptShape(vocabulary, 1, 2, 1, TOP).rowBytes();
        return whole <= top || whole <= limit / Math.max(1, tokens) ? WHOLE : TOP;
    }

    boolean whole() {
        return top == 0;
    }
}
