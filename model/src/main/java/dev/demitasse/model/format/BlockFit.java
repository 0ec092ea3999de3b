package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.util.Arrays;

/**
 * Chooses the numbers of a block: scales and minimums such that Σ uᵢ (xᵢ − x̂ᵢ)² is small, u the importance of each
 * element, then each code to the nearest level. Candidates for a scale put the element of largest magnitude at levels
 * around the outermost; each candidate's codes give a least-squares scale, which is what is judged. Scales of sub-blocks
 * are rounded to multiples of the block's scale together, then moved one by one by their true error.
 *
 * <p>The candidates follow what GGML's encoders try for the same formats; weights and the last step are our own. Keeps
 * scratch memory: one for each thread.
 */
public final class BlockFit {
    private static final int NEIGHBOURS = 2;

    private final BlockScheme scheme;
    private final Levels levels;
    private final double[] extremes;
    private final SubBlockFit sub;
    private final double[] steps;
    private final double[] bases;
    private final double[] stepWeights;
    private final double[] baseWeights;

    public BlockFit(BlockScheme scheme) {
        this.scheme = scheme;
        this.levels = scheme.levels();
        this.extremes = SubBlockFit.extremes(levels);
        this.sub = new SubBlockFit(scheme.subSize(), levels);
        this.steps = new double[scheme.subBlocks()];
        this.bases = new double[scheme.subBlocks()];
        this.stepWeights = new double[scheme.subBlocks()];
        this.baseWeights = new double[scheme.subBlocks()];
    }

    /**
     * Chooses all numbers of a block.
     *
     * @param values the elements, from index {@code at}
     * @param importance of each element's squared error, from {@code importanceAt}
     */
    public void search(double[] values, int at, double[] importance, int importanceAt, BlockNumbers into) {
        int size = scheme.subSize();
        for (int part = 0; part < scheme.subBlocks(); part++) {
            sub.take(values, at + part * size, importance, importanceAt + part * size);
            switch (scheme.offset()) {
                case Offset.None none -> sub.searchScale(extremes, this::storable);
                case Offset.Minimum minimum -> sub.searchScaleAndMinimum(false);
                case Offset.MinimumCodes codes -> sub.searchScaleAndMinimum(true);
                case Offset.Zero zero -> into.minimumCodes[part] = (byte) sub.searchScaleAndZero(this::storable);
            }
            steps[part] = sub.step();
            bases[part] = sub.base();
            stepWeights[part] = sub.stepWeight();
            baseWeights[part] = sub.baseWeight();
        }
        scheme.scaleCodes().ifPresentOrElse(codes -> nest(codes, into), () -> into.scale = storable(steps[0]));
        switch (scheme.offset()) {
            case Offset.None none -> {}
            case Offset.Minimum minimum -> settleMinimum(values, at, importance, importanceAt, into);
            case Offset.MinimumCodes codes -> {
                double[] positive = Arrays.stream(bases).map(base -> -base).toArray();
                into.minimum = shareOfCodes(positive, baseWeights, 0, codes.largest(), into.minimumCodes);
            }
            case Offset.Zero zero -> {}
        }
        for (int part = 0; part < scheme.subBlocks(); part++) {
            sub.take(values, at + part * size, importance, importanceAt + part * size);
            if (scheme.scaleCodes().isPresent()) {
                moveCodes(part, into);
            }
        }
        round(values, at, into);
    }

    /**
     * The scales that published methods use without a search: the range of the elements, laid on the range of the levels
     * (absmax where there is no offset; with a zero, the range widened to hold 0).
     */
    public void range(double[] values, int at, BlockNumbers into) {
        if (scheme.scaleCodes().isPresent()) {
            throw new IllegalStateException("no published range for " + scheme);
        }
        double smallest = 0;
        double largest = 0;
        for (int i = at; i < at + scheme.size(); i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        double width = (double) levels.largest() - levels.smallest();
        switch (scheme.offset()) {
            case Offset.None none -> {
                boolean even = -levels.smallest() == levels.largest();
                double reach = even
                        ? levels.largest()
                        : levels instanceof Levels.Integers ? width / 2 : SubBlockFit.reach(levels);
                into.scale = storable(Math.max(-smallest, largest) / reach);
            }
            case Offset.Zero zero -> {
                into.scale = storable((largest - smallest) / width);
                into.minimumCodes[0] =
                        (byte) (into.scale == 0 ? 0 : levels.nearest(levels.smallest() - smallest / into.scale));
            }
            case Offset.Minimum minimum -> {
                double low = Arrays.stream(values, at, at + scheme.size()).min().orElse(0);
                double high =
                        Arrays.stream(values, at, at + scheme.size()).max().orElse(0);
                into.scale = storable((high - low) / width);
                into.minimum = storable(low);
            }
            case Offset.MinimumCodes codes -> throw new IllegalStateException("no published range for " + scheme);
        }
        round(values, at, into);
    }

    /**
     * As {@link #range}, for a scheme with a zero, but that the range is that of the elements alone; where it does not
     * hold 0 the zero is the outermost level (AWQ's published code). Codes come from the scale before its rounding: clipped
     * elements lie halfway between two of them.
     */
    public void span(double[] values, int at, BlockNumbers into) {
        double low = Arrays.stream(values, at, at + scheme.size()).min().orElse(0);
        double high = Arrays.stream(values, at, at + scheme.size()).max().orElse(0);
        double scale = Math.max(1e-5, high - low) / ((double) levels.largest() - levels.smallest());
        into.scale = storable(scale);
        into.minimumCodes[0] = (byte) levels.nearest(levels.smallest() - Math.rint(low / scale));
        for (int i = 0; i < scheme.size(); i++) {
            into.codes[i] = (byte) levels.nearest(Math.rint(values[at + i] / scale) + into.minimumCodes[0]);
        }
    }

    private float storable(double scale) {
        return scheme.scaleFormat().round(scale);
    }

    /** Each element's code. */
    private void round(double[] values, int at, BlockNumbers into) {
        int size = scheme.subSize();
        for (int part = 0; part < scheme.subBlocks(); part++) {
            double step = into.step(part);
            double base = into.base(part);
            for (int i = part * size; i < (part + 1) * size; i++) {
                into.codes[i] = (byte) levels.nearest(step == 0 ? -base : (values[at + i] - base) / step);
            }
        }
    }

    private void nest(Levels.Integers codes, BlockNumbers into) {
        into.scale = shareOfCodes(steps, stepWeights, codes.least(), codes.greatest(), into.scaleCodes);
    }

    /**
     * The factor whose integer multiples {@code least} … {@code greatest} come nearest to {@code wanted}, errors weighted;
     * fills in the integers.
     */
    private float shareOfCodes(double[] wanted, double[] weights, int least, int greatest, byte[] codes) {
        double extreme = 0;
        for (double value : wanted) {
            extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
        }
        float best = 0;
        double bestError = Double.POSITIVE_INFINITY;
        int outermost = -least > greatest ? least : greatest;
        double stride = Math.max(0.1, 0.1 * greatest / 31);
        for (int candidate = -9; candidate <= 9 && extreme != 0; candidate++) {
            double inverse = (outermost + candidate * stride) / extreme;
            double product = 0;
            double square = 0;
            for (int i = 0; i < wanted.length; i++) {
                double code = Math.max(least, Math.min(greatest, Math.rint(wanted[i] * inverse)));
                product += weights[i] * code * wanted[i];
                square += weights[i] * code * code;
            }
            float factor = square == 0 ? 0 : storable(product / square);
            double error = 0;
            for (int i = 0; i < wanted.length; i++) {
                double left = wanted[i] - (double) factor * codeFor(wanted[i], factor, least, greatest);
                error += weights[i] * left * left;
            }
            if (error < bestError && Float.isFinite(factor)) {
                bestError = error;
                best = factor;
            }
        }
        for (int i = 0; i < wanted.length; i++) {
            codes[i] = (byte) codeFor(wanted[i], best, least, greatest);
        }
        return best;
    }

    private static int codeFor(double wanted, float factor, int least, int greatest) {
        return factor == 0 ? Math.max(0, least) : (int) Math.max(least, Math.min(greatest, Math.rint(wanted / factor)));
    }

    /** Tries the neighbours of a sub-block's scale code, and of its minimum code, by the true error. */
    private void moveCodes(int part, BlockNumbers into) {
        Levels.Integers scaleCodes = scheme.scaleCodes().orElseThrow();
        int largestMinimum = scheme.offset() instanceof Offset.MinimumCodes codes ? codes.largest() : 0;
        int scaleCode = into.scaleCodes[part];
        int minimumCode = into.minimumCodes[part];
        int reach = largestMinimum > 0 ? NEIGHBOURS : 0;
        double bestError = Double.POSITIVE_INFINITY;
        int bestScale = scaleCode;
        int bestMinimum = minimumCode;
        for (int s = Math.max(scaleCodes.least(), scaleCode - NEIGHBOURS);
                s <= Math.min(scaleCodes.greatest(), scaleCode + NEIGHBOURS);
                s++) {
            for (int m = Math.max(0, minimumCode - reach); m <= Math.min(largestMinimum, minimumCode + reach); m++) {
                double error = sub.error((double) into.scale * s, -(double) into.minimum * m, bestError);
                if (error < bestError) {
                    bestError = error;
                    bestScale = s;
                    bestMinimum = m;
                }
            }
        }
        into.scaleCodes[part] = (byte) bestScale;
        if (largestMinimum > 0) {
            into.minimumCodes[part] = (byte) bestMinimum;
        }
    }

    /** Rounds the minimum first, and lets the scale answer to it. */
    private void settleMinimum(double[] values, int at, double[] importance, int importanceAt, BlockNumbers into) {
        into.minimum = storable(bases[0]);
        sub.take(values, at, importance, importanceAt);
        into.scale = storable(sub.scaleFor(steps[0], into.minimum));
    }
}
