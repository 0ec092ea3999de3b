package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.evaluate.Reference.Expectations;
import dev.demitasse.infer.parallel.Workers;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.descriptive.SummaryStatistics;

/** Adds up scores token by token, always in the order of the text, whatever computed them. */
final class Tally {
    private final int vocabulary;
    private final SummaryStatistics losses = new SummaryStatistics();
    private final List<DivergenceTally> divergences;

    /** @param references how many the model is compared with */
    Tally(int vocabulary, int references) {
        this.vocabulary = vocabulary;
        this.divergences =
                Stream.generate(DivergenceTally::new).limit(references).toList();
    }

    /**
     * Scores the tokens of {@code window} from {@code firstScored} on.
     *
     * @param logits {@code [window, vocabulary]}
     * @param references what each expects
     */
    void add(int[] window, int firstScored, float[] logits, List<? extends Expectations> references) {
        int count = window.length - firstScored;
        double[] loss = new double[count];
        Comparison[][] comparisons = new Comparison[count][references.size()];
        Workers.COMMON.run(count, i -> {
            int position = firstScored - 1 + i;
            int right = window[position + 1];
            int at = position * vocabulary;
            double total = LogitRows.logSumExp(logits, at, vocabulary);
            loss[i] = total - logits[at + right];
            for (int other = 0; other < references.size(); other++) {
                comparisons[i][other] = references.get(other).compare(position, right, logits, at, total);
            }
        });
        for (int i = 0; i < count; i++) {
            losses.addValue(loss[i]);
            for (int other = 0; other < divergences.size(); other++) {
                divergences.get(other).add(loss[i], comparisons[i][other]);
            }
        }
    }

    double nll() {
        return losses.getMean();
    }

    /**
     * @param bytes of the text that the scored tokens stand for
     */
    Quality quality(long bytes) {
        Estimate perplexity = Estimate.mean(losses).exp();
        return new Quality(
                perplexity.value(),
                perplexity.standardError(),
                nll(),
                losses.getSum() / Math.log(2) / bytes,
                losses.getN(),
                divergences.stream().map(each -> each.divergence(losses)).toList());
    }
}
