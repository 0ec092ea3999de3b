package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Positions.Rotary;

/**
 * Cosines and signed sines of every position's angles, {@code [tokens, headDimension]}: rotating is
 * {@code x · cosine + partner(x) · sine}, where a dimension's partner is the other one of its pair and the first of a
 * pair takes the negative sine (Su et al., arXiv:2104.09864, eq. 34, pairs (i, i + d/2)). Dimensions past the rotated
 * ones have cosine 1 and sine 0. A scaling's attention factor multiplies what is rotated and nothing else, as in
 * transformers.
 */
record RotaryTable(NDArray cosine, NDArray sine, int rotated, int headDimension) {

    /** @param scale multiplies the result: the scale of attention comes at no cost this way */
    static RotaryTable create(NDManager manager, Rotary rotary, int headDimension, int tokens, double scale) {
        double[] frequencies = rotary.frequencies(tokens);
        int half = frequencies.length;
        double rotatedScale = scale * rotary.scaling().attentionFactor();
        float[] cosine = new float[tokens * headDimension];
        float[] sine = new float[tokens * headDimension];
        java.util.Arrays.fill(cosine, (float) scale);
        for (int token = 0; token < tokens; token++) {
            for (int pair = 0; pair < half; pair++) {
                // Angles in float, as transformers computes them: at position 10⁵ the rounding is part of the model.
                double angle = (float) token * (float) frequencies[pair];
                int first = token * headDimension + pair;
                cosine[first] = cosine[first + half] = (float) (Math.cos(angle) * rotatedScale);
                sine[first] = (float) (-Math.sin(angle) * rotatedScale);
                sine[first + half] = (float) (Math.sin(angle) * rotatedScale);
            }
        }
        Shape shape = new Shape(tokens, headDimension);
        return new RotaryTable(
                manager.create(cosine, shape), manager.create(sine, shape), rotary.dimensions(), headDimension);
    }

    /** Rotates {@code x [batch, heads, tokens, headDimension]}. */
    NDArray rotate(NDArray x) {
        NDList parts = rotated == headDimension ? x.split(2, 3) : x.split(new long[] {rotated / 2, rotated}, 3);
        NDList partners = new NDList(parts.get(1), parts.get(0));
        if (parts.size() == 3) {
            partners.add(parts.get(2));
        }
        NDArray partner = ai.djl.ndarray.NDArrays.concat(partners, 3);
        return x.mul(cosine).add(partner.mul(sine));
    }
}
