package dev.demitasse.quantize;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What quantizing did to each tensor.
 *
 * @param method in lower case
 * @param format of the projections, by id
 * @param calibrationTokens tokens that activations were taken from; 0 without calibration
 * @param tensors every matrix, in the order of the model
 * @param fallbacks sentences about tensors that did not get the format asked for
 * @param resumption what became of an earlier run's work; empty if there was none
 * @param seconds from start to end, of this process
 */
public record QuantizationReport(
        String method,
        String format,
        long calibrationTokens,
        List<TensorReport> tensors,
        List<String> fallbacks,
        Optional<String> resumption,
        double seconds) {
    public QuantizationReport {
        tensors = List.copyOf(tensors);
        fallbacks = List.copyOf(fallbacks);
    }

    /**
     * One matrix.
     *
     * @param name as Hugging Face files call it
     * @param layer from 0, or −1 outside the layers
     * @param format by id
     * @param weightError |W − Q|² / |W|²
     * @param outputError |X(W − Q)ᵀ|² / |XWᵀ|² over the calibration's activations X, if they were looked at; where GPTQ
     *     aimed at the float model's outputs, W is the weight that meets them
     * @param silent share of its columns whose input was always zero, if inputs were looked at
     * @param seconds that finding its codes took
     */
    public record TensorReport(
            String name,
            int layer,
            String format,
            double weightError,
            Optional<Double> outputError,
            Optional<Double> silent,
            double seconds) {}

    /** How far the calibration reached: its tokens, and the inputs that it never moved; empty without one. */
    public Optional<String> coverage() {
        if (calibrationTokens == 0) {
            return Optional.empty();
        }
        List<Double> shares =
                tensors.stream().flatMap(tensor -> tensor.silent().stream()).toList();
        double silent =
                shares.stream().mapToDouble(Double::doubleValue).average().orElse(0);
        return Optional.of("calibrated on %,d tokens".formatted(calibrationTokens)
                + (shares.isEmpty()
                        ? ""
                        : "; %.3g %% of the inputs' columns were always zero".formatted(100 * silent)));
    }

    /** The {@code count} tensors with the largest output error, worst first. */
    public List<TensorReport> worst(int count) {
        return tensors.stream()
                .filter(tensor -> tensor.outputError().isPresent())
                .sorted(Comparator.comparingDouble(
                                (TensorReport tensor) -> tensor.outputError().orElse(0.0))
                        .reversed())
                .limit(count)
                .toList();
    }
}
