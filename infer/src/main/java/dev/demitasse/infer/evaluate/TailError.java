package dev.demitasse.infer.evaluate;

/**
 * What is lost where a reference's predictions were kept in part ({@link KeptReference}); all 0 but {@code lowestKl} where
 * nothing was left out.
 *
 * @param share of the reference's probability that fell to tokens not kept, mean over tokens of the text
 * @param lowestKl what the mean KL divergence is at least, whatever the tokens not kept
 * @param standardError how far the draws may have moved the mean KL divergence
 */
public record TailError(double share, double lowestKl, double standardError) {
    /** Whether every logit was known. */
    public boolean none() {
        return share == 0;
    }
}
