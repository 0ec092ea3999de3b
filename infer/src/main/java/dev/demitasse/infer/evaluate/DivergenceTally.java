package dev.demitasse.infer.evaluate;

import org.apache.commons.math3.stat.descriptive.StatisticalSummary;
import org.apache.commons.math3.stat.descriptive.SummaryStatistics;
import org.apache.commons.math3.util.ResizableDoubleArray;

/** Adds up what is found of a model beside one reference, token by token. Keeps two numbers a token, for percentiles. */
final class DivergenceTally {
    private final SummaryStatistics divergences = new SummaryStatistics();
    private final SummaryStatistics losses = new SummaryStatistics();
    private final SummaryStatistics lossDifferences = new SummaryStatistics();
    private final SummaryStatistics changes = new SummaryStatistics();
    private final SummaryStatistics squaredChanges = new SummaryStatistics();
    private final ResizableDoubleArray eachDivergence = new ResizableDoubleArray();
    private final ResizableDoubleArray eachChange = new ResizableDoubleArray();
    private long agreements;
    private double tailShares;
    private double lowest;
    private double tailVariances;

    /** @param loss the model's negative log-likelihood of the right token */
    void add(double loss, Comparison comparison) {
        double referenceLoss = -comparison.logProbability();
        divergences.addValue(comparison.divergence());
        eachDivergence.addElement(comparison.divergence());
        losses.addValue(referenceLoss);
        lossDifferences.addValue(loss - referenceLoss);
        double change = Math.exp(-loss) - Math.exp(-referenceLoss);
        changes.addValue(change);
        squaredChanges.addValue(change * change);
        eachChange.addElement(change);
        agreements += comparison.agrees() ? 1 : 0;
        tailShares += comparison.tail().share();
        lowest += comparison.tail().lowest();
        tailVariances += comparison.tail().variance();
    }

    /** @param modelLosses those given to {@link #add} */
    Divergence divergence(StatisticalSummary modelLosses) {
        long tokens = divergences.getN();
        return new Divergence(
                Estimate.mean(divergences),
                Spread.of(eachDivergence.getElements()),
                Estimate.share(agreements, tokens),
                Estimate.mean(changes),
                Estimate.mean(squaredChanges).root(),
                Spread.of(eachChange.getElements()),
                PerplexityChange.of(modelLosses, losses, lossDifferences),
                new TailError(tailShares / tokens, lowest / tokens, Math.sqrt(tailVariances) / tokens));
    }
}
