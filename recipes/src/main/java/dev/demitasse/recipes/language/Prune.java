package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.Node.Text;
import java.util.Optional;

/**
 * Removes the least important parts of a model.
 *
 * @param feedForward share of the neurons kept
 * @param heads share of the key/value groups kept, each with its query heads
 * @param hidden share of the residual stream kept
 * @param layers how many decoder layers are kept
 * @param importance what decides
 * @param multipleOf sizes are rounded to multiples of it
 */
public record Prune(double feedForward, double heads, double hidden, Keep layers, Importance importance, int multipleOf)
        implements Work {

    /** What makes a part important. */
    public enum Importance {
        /** How strongly it is active on the calibration text. */
        ACTIVATION,
        /** How large its weights are. */
        MAGNITUDE
    }

    /** How many of some parts are kept. */
    public sealed interface Keep {
        /** A share of them. */
        record Share(double share) implements Keep {}

        /** A number of them. */
        record Count(int count) implements Keep {}
    }

    private enum Method {
        WIDTH,
        DEPTH
    }

    private static final Kind<Keep> KEEP = new Kind<>(
            "a fraction above 0, at most 1 (written with a point), or a whole number",
            new Keep.Share(1),
            node -> node instanceof Text text && text.text().strip().matches("\\d+")
                    ? new Keep.Count(Kind.integer(1).reader().apply(node))
                    : new Keep.Share(Kind.fraction().reader().apply(node)),
            keep -> switch (keep) {
                case Keep.Share share -> share.share();
                case Keep.Count count -> count.count();
            });

    private static final Key<Method> METHOD = Key.optional(
            "method",
            Kind.choice(Method.class, "a method"),
            "`width` allows `ffn`, `heads` and `hidden`, `depth` allows `layers`; without it all of them");
    private static final Key<Double> FEED_FORWARD =
            Key.of("ffn", Kind.fraction(), "1.0", "share of the feed-forward neurons that is kept");
    private static final Key<Double> HEADS = Key.of(
            "heads", Kind.fraction(), "1.0", "share of the key/value groups that is kept, with their query heads");
    private static final Key<Double> HIDDEN =
            Key.of("hidden", Kind.fraction(), "1.0", "share of the residual stream's width that is kept");
    private static final Key<Keep> LAYERS =
            Key.of("layers", KEEP, "1.0", "how many decoder layers are kept: a share, or a number of them");
    private static final Key<Importance> IMPORTANCE = Key.of(
            "importance",
            Kind.choice(Importance.class, "a measure of importance"),
            "activation",
            "what decides: activations on data.calibration, or the weights' size");
    private static final Key<Integer> MULTIPLE_OF = Key.of(
            "multiple_of", Kind.integer(1), "32", "widths are rounded to multiples of it; block formats need 32");

    static final Section SECTION = new Section(
            "prune",
            "Removes the least important parts.",
            METHOD,
            FEED_FORWARD,
            HEADS,
            HIDDEN,
            LAYERS,
            IMPORTANCE,
            MULTIPLE_OF);

    static Prune read(Fields fields) {
        Optional<Method> method = fields.find(METHOD);
        boolean width = method.isEmpty() || method.get() == Method.WIDTH;
        boolean depth = method.isEmpty() || method.get() == Method.DEPTH;
        if (!fields.has(FEED_FORWARD) && !fields.has(HEADS) && !fields.has(HIDDEN) && !fields.has(LAYERS)) {
            fields.wrong("prunes nothing; give it ffn, heads, hidden or layers");
        }
        return new Prune(
                allowed(fields, FEED_FORWARD, width),
                allowed(fields, HEADS, width),
                allowed(fields, HIDDEN, width),
                allowed(fields, LAYERS, depth),
                fields.get(IMPORTANCE),
                fields.get(MULTIPLE_OF));
    }

    private static <T> T allowed(Fields fields, Key<T> key, boolean byMethod) {
        if (!byMethod && fields.has(key)) {
            fields.wrong(key, "does not go with the method; leave method out to prune width and depth");
        }
        return byMethod ? fields.get(key) : fields.otherwise(key);
    }

    @Override
    public String name() {
        return "prune";
    }
}
