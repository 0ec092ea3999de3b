package dev.demitasse.recipes.language;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * When and how models are measured.
 *
 * @param after after which stages
 * @param metrics what is measured
 * @param protocol which tokens count
 * @param sample how many tokens of text each model writes for the report; 0 for none
 */
public record Evaluate(When after, Set<Metric> metrics, Scoring protocol, int sample) {
    /** After which stages. */
    public enum When {
        EVERY_STAGE,
        /** The stages that no other starts from. */
        END,
        NEVER
    }

    /** What can be measured. */
    public enum Metric {
        PERPLEXITY,
        KL,
        TOP1,
        SIZE,
        SPEED
    }

    /** Which tokens of a window are scored. */
    public enum Scoring {
        DEFAULT,
        LLAMACPP
    }

    private static final Key<When> AFTER =
            Key.of("after", Kind.choice(When.class, "a time"), "every_stage", "which stages' results are measured");
    private static final Key<List<Metric>> METRICS = Key.of(
            "metrics",
            Kind.choice(Metric.class, "a metric").list(),
            "perplexity, kl, top1, size, speed",
            "what is measured; `kl` and `top1` compare with the recipe's model, or where it has none, its first stage");
    private static final Key<Scoring> PROTOCOL = Key.of(
            "protocol",
            Kind.choice(Scoring.class, "a protocol"),
            "default",
            "`default` scores every token but each window's first, `llamacpp` each window's second half");
    private static final Key<Integer> SAMPLE =
            Key.of("sample", Kind.integer(0), "80", "tokens that each model writes for the report");

    static final Section SECTION =
            new Section("evaluate", "When and how models are measured.", AFTER, METRICS, PROTOCOL, SAMPLE);

    static Evaluate read(Fields fields) {
        Set<Metric> metrics = EnumSet.noneOf(Metric.class);
        metrics.addAll(fields.get(METRICS));
        return new Evaluate(fields.get(AFTER), metrics, fields.get(PROTOCOL), fields.get(SAMPLE));
    }
}
