package dev.demitasse.recipes.language;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A condition on a stage's result; where it does not hold, the run fails.
 *
 * @param measure what is looked at
 * @param minimum least value that passes
 * @param maximum greatest value that passes
 * @param against what it is compared with, {@link Recipe#MODEL} or a stage; empty for a measure that compares nothing
 */
public record Gate(Measure measure, OptionalDouble minimum, OptionalDouble maximum, Optional<String> against) {
    /** What a gate looks at. */
    public enum Measure {
        PERPLEXITY(false, "perplexity on data.test"),
        PERPLEXITY_RATIO(true, "perplexity divided by the other's"),
        BITS_PER_BYTE(false, "bits per byte of data.test"),
        KL(true, "mean divergence from the other, nats per token"),
        KL_MEDIAN(true, "median over tokens of the divergence from the other"),
        KL_99(true, "99th percentile over tokens of the divergence from the other"),
        KL_MAX(true, "largest divergence from the other after any token"),
        TOP1(true, "share of tokens where both think the same token likeliest"),
        RMS_PROBABILITY(true, "root mean square of how far the right token's probability is from the other's, 0 to 1"),
        SIZE(false, "bytes of the weight files, such as 90MB"),
        SIZE_RATIO(true, "bytes divided by the other's"),
        SPEED(false, "tokens a second in generation"),
        SPEED_RATIO(true, "tokens a second divided by the other's");

        private final boolean compares;
        private final Key<Node> key;

        Measure(boolean compares, String meaning) {
            this.compares = compares;
            this.key = Key.optional(Kind.word(this), Kind.SECTION, meaning);
        }

        /** Whether it compares with another model. */
        public boolean compares() {
            return compares;
        }
    }

    private static final Kind<Double> LIMIT =
            new Kind<>("a number", 0.0, node -> Numbers.number(Kind.text(node)), value -> value);
    private static final Kind<Double> SIZE_LIMIT = new Kind<>(
            "a number, or for `size` a size as `90MB`", 0.0, node -> Numbers.bytes(Kind.text(node)), value -> value);
    private static final Key<Double> MIN = Key.optional("min", LIMIT, "least value that passes");
    private static final Key<Double> MAX = Key.optional("max", LIMIT, "greatest value that passes");
    private static final Key<Double> MIN_SIZE = Key.optional("min", SIZE_LIMIT, "least value that passes");
    private static final Key<Double> MAX_SIZE = Key.optional("max", SIZE_LIMIT, "greatest value that passes");
    private static final Key<String> AGAINST = Key.optional(
            "against",
            Kind.TEXT,
            "what is compared with: `model` or an earlier stage; without it `model`, or where a recipe has none, its first stage");

    static final Section SECTION = new Section(
            "gate",
            "Conditions on the stage's result. Each takes `min`, `max` or both; those that compare take `against` too.",
            Arrays.stream(Measure.values()).<Key<?>>map(measure -> measure.key).toList());
    static final Section LIMITS = new Section("gate.*", "What a condition takes.", MIN_SIZE, MAX_SIZE, AGAINST);

    /** Reads all conditions of a stage. */
    static List<Gate> read(Fields fields, StageGraph graph) {
        List<Gate> gates = new ArrayList<>();
        for (Measure measure : Measure.values()) {
            if (fields.has(measure.key)) {
                gates.add(read(measure, fields.section(measure.key, LIMITS), graph));
            }
        }
        return gates;
    }

    private static Gate read(Measure measure, Fields fields, StageGraph graph) {
        boolean size = measure == Measure.SIZE;
        Optional<Double> minimum = fields.find(size ? MIN_SIZE : MIN);
        Optional<Double> maximum = fields.find(size ? MAX_SIZE : MAX);
        if (!fields.has(MIN) && !fields.has(MAX)) {
            fields.wrong("needs min, max or both");
        }
        if (minimum.isPresent() && maximum.isPresent() && minimum.get() > maximum.get()) {
            fields.wrong(MIN, "is above max; nothing passes");
        }
        Optional<String> against = Optional.empty();
        if (measure.compares) {
            against = Optional.of(fields.get(AGAINST, graph.baseline()));
            graph.checkReference(fields, AGAINST, against.get());
        } else if (fields.has(AGAINST)) {
            fields.wrong(
                    AGAINST, Kind.word(measure) + " compares with nothing; " + Kind.word(measure) + "_ratio may do");
        }
        return new Gate(measure, bound(minimum), bound(maximum), against);
    }

    private static OptionalDouble bound(Optional<Double> value) {
        return value.isPresent() ? OptionalDouble.of(value.get()) : OptionalDouble.empty();
    }

    /** Whether {@code value} passes; what is not a number does not. */
    public boolean passes(double value) {
        return !(minimum.isPresent() && !(value >= minimum.getAsDouble()))
                && !(maximum.isPresent() && !(value <= maximum.getAsDouble()))
                && !Double.isNaN(value);
    }

    /** As in {@code kl at most 0.05 against heal}. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(Kind.word(measure));
        minimum.ifPresent(value -> text.append(" at least ").append(Numbers.plain(value)));
        maximum.ifPresent(value -> text.append(minimum.isPresent() ? " and" : "")
                .append(" at most ")
                .append(Numbers.plain(value)));
        against.ifPresent(other -> text.append(" against ").append(other));
        return text.toString();
    }
}
