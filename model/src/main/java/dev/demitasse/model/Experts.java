package dev.demitasse.model;

/**
 * A mixture of experts (Shazeer et al., arXiv:1701.06538; Fedus et al., arXiv:2101.03961): for each token the router's
 * softmax over all experts ranks them, and the outputs of the first {@code used}, weighted by it, are added.
 *
 * @param count how many there are
 * @param used how many compute for a token
 * @param normalized whether the weights of those used are divided by their sum
 * @param sharedSize neurons of an expert that computes for every token, its output times the sigmoid of
 *     {@link Role#SHARED_ROUTER}; 0 for none
 */
public record Experts(int count, int used, boolean normalized, int sharedSize) {
    /** Far above any model. */
    private static final int MAXIMUM = 65_536;

    public Experts {
        if (count < 1 || count > MAXIMUM || used < 1 || used > count || sharedSize < 0) {
            throw new IllegalArgumentException(
                    "%d experts, %d used, %d shared neurons".formatted(count, used, sharedSize));
        }
    }
}
