package dev.demitasse.infer.bench;

import dev.demitasse.infer.evaluate.Spread;
import java.util.List;
import java.util.Optional;

/**
 * The repetitions of a workload.
 *
 * @param workload what was timed
 * @param rates tokens a second of each repetition
 * @param bandwidths bytes a second that memory gave next to each repetition; none but of {@link Workload.Kind#DECODE}
 * @param warmUps tokens a second of each repetition before, while the JVM compiled
 */
public record Measurement(Workload workload, List<Double> rates, List<Double> bandwidths, List<Double> warmUps) {
    public Measurement {
        rates = List.copyOf(rates);
        bandwidths = List.copyOf(bandwidths);
        warmUps = List.copyOf(warmUps);
    }

    /** Tokens a second. */
    public Spread rate() {
        return spread(rates);
    }

    /** Bytes a second that memory gave. */
    public Optional<Spread> bandwidth() {
        return bandwidths.isEmpty() ? Optional.empty() : Optional.of(spread(bandwidths));
    }

    /**
     * The part of memory's bandwidth that was used: the median of each repetition's over that next to it.
     *
     * @param bytesPerToken of weights
     */
    public Optional<Double> bandwidthShare(long bytesPerToken) {
        if (bandwidths.isEmpty()) {
            return Optional.empty();
        }
        double[] shares = new double[rates.size()];
        for (int i = 0; i < shares.length; i++) {
            shares[i] = rates.get(i) * bytesPerToken / bandwidths.get(i);
        }
        return Optional.of(Spread.of(shares).median());
    }

    private static Spread spread(List<Double> values) {
        return Spread.of(values.stream().mapToDouble(Double::doubleValue).toArray());
    }
}
