package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.Node.Text;
import java.util.Optional;

/**
 * Removes the least important parts of a model.
 *
 * @param feedForward how many neurons of a layer are kept
 * @param heads how many key/value heads of a layer are kept, each with its query heads
 * @param hidden how much of the residual stream's width is kept
 * @param layers how many decoder layers are kept
 * @param importance what decides
 * @param multipleOf what shares of widths are rounded to; empty to suit the block formats
 */
public record Prune(
        Keep feedForward, Keep heads, Keep hidden, Keep layers, Importance importance, Optional<Integer> multipleOf)
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

    private static final Key<Method> METHOD = Key.optional(
            "method",
            Kind.choice(Method.class, "a method"),
            "`width` allows `ffn`, `heads` and `hidden`, `depth` allows `layers`; without it all of them");
    private static final Key<Keep> FEED_FORWARD =
            Key.of("ffn", keep(2), "1.0", "how many of each layer's feed-forward neurons are kept");
    private static final Key<Keep> HEADS = Key.of(
            "heads", keep(1), "1.0", "how many of each layer's key/value heads are kept, with their query heads");
    private static final Key<Keep> HIDDEN =
            Key.of("hidden", keep(2), "1.0", "how much of the residual stream's width is kept");
    private static final Key<Keep> LAYERS = Key.of("layers", keep(1), "1.0", "how many decoder layers are kept");
    private static final Key<Importance> IMPORTANCE = Key.of(
            "importance",
            Kind.choice(Importance.class, "a measure of importance"),
            "activation",
            "what decides: activations on data.calibration, or the weights' size");
    private static final Key<Integer> MULTIPLE_OF = Key.optional(
            "multiple_of",
            Kind.integer(1),
            "shares of `ffn` and `hidden` are rounded to multiples of it; without it 256 where the model's size is one, else 32");

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
                fields.find(MULTIPLE_OF));
    }

    /** A share with a decimal point, or a number of {@code least} and more. */
    private static Kind<Keep> keep(int least) {
        return new Kind<>(
                "a share above 0, at most 1, such as 0.75; or a number of at least " + least,
                new Keep.Share(1),
                node -> node instanceof Text text && isCount(text.text().strip(), least)
                        ? new Keep.Count(Kind.integer(1).reader().apply(node))
                        : new Keep.Share(Kind.fraction().reader().apply(node)),
                keep -> switch (keep) {
                    case Keep.Share share -> share.share();
                    case Keep.Count count -> count.count();
                });
    }

    private static boolean isCount(String text, int least) {
        return text.matches("\\d+") && !text.matches("0+") && (least == 1 || !text.matches("0*1"));
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
