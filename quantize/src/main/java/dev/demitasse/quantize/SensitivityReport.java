package dev.demitasse.quantize;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.model.Role;
import dev.demitasse.model.format.TensorFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What rounding parts of a model costs.
 *
 * @param rows one for each group, in the model's order
 * @param everything all groups rounded at once
 * @param tokens of the text it was measured on
 */
public record SensitivityReport(List<Row> rows, Row everything, long tokens) {
    public SensitivityReport {
        rows = List.copyOf(rows);
    }

    /**
     * A group of tensors.
     *
     * @param name for people
     * @param role if all have one
     * @param layer if all are of one
     * @param tensors how many
     * @param parameters numbers in them
     * @param costs by format; none where the format's blocks do not fill the rows of any of them
     */
    public record Row(
            String name,
            Optional<Role> role,
            OptionalInt layer,
            int tensors,
            long parameters,
            Map<TensorFormat, Cost> costs) {
        public Row {
            costs = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(costs));
        }
    }

    /**
     * Of a group rounded to nearest in a format, those of its tensors left as they are whose rows its blocks do not fill.
     *
     * @param bytes the tensors take then
     * @param left how many tensors were left as they are
     * @param weightError |W − Q|² / |W|² over them all
     * @param outputError |X(W − Q)ᵀ|² / |XWᵀ|² over those whose input X was seen
     * @param divergence of the model's predictions, if that was asked for
     */
    public record Cost(
            long bytes, int left, double weightError, Optional<Double> outputError, Optional<Divergence> divergence) {}
}
