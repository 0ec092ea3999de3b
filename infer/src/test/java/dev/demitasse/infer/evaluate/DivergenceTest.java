package dev.demitasse.infer.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.progress.Progress;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every figure against its definition, in double over all tokens at once; where llama-perplexity tells it, by llama.cpp's
 * formula (tools/perplexity/perplexity.cpp: means of powers, covariance, percentiles between two values).
 */
class DivergenceTest {
    private static final int VOCABULARY = 61;
    private static final MadeUpScorer MODEL = MadeUpScorer.of(VOCABULARY, 2, 5, 1, 0.4);
    private static final MadeUpScorer REFERENCE = MadeUpScorer.of(VOCABULARY, 2, 5, 2, 0.4);
    private static final TokenWindows TEXT = MadeUpScorer.windows(VOCABULARY, 7, 31);

    /** Of each scored token: what is compared. */
    private record Plain(double loss, double referenceLoss, double kl, boolean agrees) {
        double change() {
            return Math.exp(-loss) - Math.exp(-referenceLoss);
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyFigureIsAsDefined(Protocol protocol) {
        Quality quality = Evaluation.run(MODEL, List.of(Reference.of(REFERENCE)), TEXT, protocol, Progress.SILENT);
        Divergence divergence = quality.divergence().orElseThrow();
        List<Plain> tokens = plain(protocol);
        assertThat(quality.tokensScored()).isEqualTo(tokens.size());

        close(divergence.kl(), tokens.stream().mapToDouble(Plain::kl));
        close(divergence.probability(), tokens.stream().mapToDouble(Plain::change));
        close(divergence.klSpread(), tokens.stream().mapToDouble(Plain::kl));
        close(divergence.probabilitySpread(), tokens.stream().mapToDouble(Plain::change));
        double same = (double) tokens.stream().filter(Plain::agrees).count() / tokens.size();
        close(divergence.top1(), same, Math.sqrt(same * (1 - same) / (tokens.size() - 1)));
        double[] squares = tokens.stream()
                .mapToDouble(token -> token.change() * token.change())
                .toArray();
        double rms = Math.sqrt(mean(squares));
        close(divergence.rmsProbability(), rms, 0.5 / rms * error(squares));
    }

    @ParameterizedTest
    @EnumSource
    void perplexitiesAreComparedTokenByToken(Protocol protocol) {
        Quality quality = Evaluation.run(MODEL, List.of(Reference.of(REFERENCE)), TEXT, protocol, Progress.SILENT);
        PerplexityChange change = quality.divergence().orElseThrow().perplexity();
        List<Plain> tokens = plain(protocol);
        double[] ours = tokens.stream().mapToDouble(Plain::loss).toArray();
        double[] theirs = tokens.stream().mapToDouble(Plain::referenceLoss).toArray();
        double perplexity = Math.exp(mean(ours));
        double reference = Math.exp(mean(theirs));
        assertThat(quality.perplexity()).isCloseTo(perplexity, within(1e-4));
        assertThat(quality.perplexityStandardError()).isCloseTo(perplexity * error(ours), within(1e-4));
        close(change.reference(), reference, reference * error(theirs));

        double covariance = covariance(ours, theirs);
        double logRatio = mean(ours) - mean(theirs);
        double logError = Math.sqrt(square(error(ours)) + square(error(theirs)) - 2 * covariance);
        close(change.logRatio(), logRatio, logError);
        close(change.ratio(), perplexity / reference, perplexity / reference * logError);
        assertThat(change.correlation()).isCloseTo(covariance / (error(ours) * error(theirs)), within(1e-5));
        double differenceError = Math.sqrt(square(perplexity * error(ours))
                + square(reference * error(theirs))
                - 2 * perplexity * reference * covariance);
        close(change.difference(), perplexity - reference, differenceError);
        assertThat(change.lowerRatio()).isCloseTo(Math.exp(logRatio - 1.96 * logError), within(1e-4));
        assertThat(change.upperRatio()).isCloseTo(Math.exp(logRatio + 1.96 * logError), within(1e-4));
    }

    @Test
    void severalReferencesGiveWhatEachGivesAlone() {
        MadeUpScorer other = MadeUpScorer.of(VOCABULARY, 2, 5, 3, 0.1);
        List<Divergence> together = Evaluation.run(
                        MODEL,
                        List.of(Reference.of(REFERENCE), Reference.of(other)),
                        TEXT,
                        Protocol.DEFAULT,
                        Progress.SILENT)
                .divergences();
        assertThat(together).hasSize(2);
        assertThat(together.get(0)).isEqualTo(alone(REFERENCE));
        assertThat(together.get(1)).isEqualTo(alone(other));
    }

    private static Divergence alone(MadeUpScorer reference) {
        return Evaluation.run(MODEL, List.of(Reference.of(reference)), TEXT, Protocol.DEFAULT, Progress.SILENT)
                .divergence()
                .orElseThrow();
    }

    /** Percentile q of 0, 10, 20, 30, 40 by numpy.percentile(…, method="linear"). */
    @Test
    void percentilesLieBetweenValues() {
        Spread spread = Spread.of(new double[] {40, 0, 30, 10, 20});
        assertThat(spread.smallest()).isZero();
        assertThat(spread.at(10)).isCloseTo(4, within(1e-12));
        assertThat(spread.median()).isEqualTo(20);
        assertThat(spread.at(90)).isCloseTo(36, within(1e-12));
        assertThat(spread.at(99.9)).isCloseTo(39.96, within(1e-12));
        assertThat(spread.largest()).isEqualTo(40);
        assertThat(Spread.of(new double[] {7}).at(99)).isEqualTo(7);
    }

    private static List<Plain> plain(Protocol protocol) {
        List<Plain> tokens = new java.util.ArrayList<>();
        for (int window = 0; window < TEXT.count(); window++) {
            int[] ids = TEXT.window(window);
            if (protocol == Protocol.LLAMACPP) {
                ids[0] = MadeUpScorer.BOS;
            }
            float[] ours = MODEL.logits(ids);
            float[] theirs = REFERENCE.logits(ids);
            int first = protocol == Protocol.LLAMACPP ? ids.length / 2 : 0;
            for (int position = first; position < ids.length - 1; position++) {
                double[] q = logProbabilities(ours, position);
                double[] p = logProbabilities(theirs, position);
                double kl = 0;
                int mostQ = 0;
                int mostP = 0;
                for (int i = 0; i < VOCABULARY; i++) {
                    kl += Math.exp(p[i]) * (p[i] - q[i]);
                    mostQ = q[i] > q[mostQ] ? i : mostQ;
                    mostP = p[i] > p[mostP] ? i : mostP;
                }
                int right = ids[position + 1];
                tokens.add(new Plain(-q[right], -p[right], kl, mostP == mostQ));
            }
        }
        return tokens;
    }

    private static double[] logProbabilities(float[] logits, int position) {
        double[] row = new double[VOCABULARY];
        double sum = 0;
        for (int i = 0; i < VOCABULARY; i++) {
            row[i] = logits[position * VOCABULARY + i];
            sum += Math.exp(row[i]);
        }
        double total = Math.log(sum);
        return Arrays.stream(row).map(logit -> logit - total).toArray();
    }

    private static double mean(double[] values) {
        return DoubleStream.of(values).average().orElseThrow();
    }

    /** √((mean of squares − square of the mean) / (n − 1)). */
    private static double error(double[] values) {
        double squares = DoubleStream.of(values).map(DivergenceTest::square).sum() / values.length;
        return Math.sqrt((squares - square(mean(values))) / (values.length - 1));
    }

    private static double covariance(double[] a, double[] b) {
        double products = 0;
        for (int i = 0; i < a.length; i++) {
            products += a[i] * b[i];
        }
        return (products / a.length - mean(a) * mean(b)) / (a.length - 1);
    }

    private static double square(double value) {
        return value * value;
    }

    private static void close(Estimate measured, DoubleStream values) {
        double[] all = values.toArray();
        close(measured, mean(all), error(all));
    }

    private static void close(Estimate measured, double value, double error) {
        assertThat(measured.value()).isCloseTo(value, within(2e-6 * Math.max(1, Math.abs(value))));
        assertThat(measured.standardError()).isCloseTo(error, within(1e-5 * Math.max(1, Math.abs(value))));
    }

    private static void close(Spread measured, DoubleStream values) {
        double[] sorted = values.sorted().toArray();
        measured.percentiles().forEach((percentage, value) -> {
            double place = percentage / 100 * (sorted.length - 1);
            int below = (int) Math.floor(place);
            int above = (int) Math.ceil(place);
            double expected = sorted[below] + (place - below) * (sorted[above] - sorted[below]);
            assertThat(value).as("percentile " + percentage).isCloseTo(expected, within(5e-6));
        });
    }
}
