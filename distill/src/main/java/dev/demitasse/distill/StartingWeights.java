package dev.demitasse.distill;

import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** The weights a new model starts from. */
public final class StartingWeights {
    /** Standard deviation of new weights, the {@code initializer_range} of Llama's config.json. */
    private static final double DEVIATION = 0.02;

    /** What writes to the residual stream. */
    private static final Set<Role> WRITERS =
            Set.of(Role.ATTENTION_OUTPUT, Role.DOWN, Role.EXPERT_DOWN, Role.SHARED_DOWN);

    private StartingWeights() {}

    /**
     * Weights from a normal distribution of deviation 0.02; those that write to the residual stream divided by √(2L) so that
     * its size does not grow with depth (GPT-2, §2.3), but where norms stand on the stream itself and hold it in bounds,
     * as in BERT; norms 1, biases 0. A tensor's numbers depend on the seed and on its name alone.
     */
    public static SourceWeights random(ModelConfig config, long seed) {
        ModelConfig plain = SourceWeights.plain(config);
        return new SourceWeights(plain, key -> random(plain, key, seed));
    }

    private static Tensor random(ModelConfig config, TensorKey key, long seed) {
        long[] shape = config.shape(key);
        String name = config.name(key);
        float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
        if (key.part() == Part.WEIGHT && key.role().norm()) {
            Arrays.fill(values, 1);
        } else if (key.part() == Part.WEIGHT) {
            boolean smaller = WRITERS.contains(key.role()) && config.residual() != Residual.POST_NORM;
            normal(values, smaller ? DEVIATION / Math.sqrt(2.0 * config.layers()) : DEVIATION, seed, name);
        }
        return Tensor.ofFloats(name, values, shape);
    }

    /** Fills {@code values} with normal numbers of mean 0 that depend on {@code seed} and {@code name}. */
    static void normal(float[] values, double deviation, long seed, String name) {
        RandomGenerator random =
                RandomGeneratorFactory.of("L64X128MixRandom").create(seed * 0x9e3779b97f4a7c15L + name.hashCode());
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
    }

    /**
     * A smaller model cut out of a larger one: layers evenly spread from the first to the last, and of every tensor the
     * leading rows and columns. Leading, not most important: to choose by importance, prune. Heads must keep their width and
     * groups their size, or what is cut would not be a head any more. Windows and positions are those of {@code config}.
     *
     * @param source must stay open while the weights are read
     * @throws InvalidRequestException if {@code config} is no part of the source
     */
    public static SourceWeights layersOf(Checkpoint source, ModelConfig config) {
        SourceWeights whole = SourceWeights.of(source);
        ModelConfig from = whole.config();
        ModelConfig plain = SourceWeights.plain(config);
        requirePart(source, from, plain);
        int[] layers = LayerMapping.layersToCopy(plain.layers(), from.layers());
        for (TensorKey key : plain.tensors()) {
            if (key.part() == Part.WEIGHT && !from.has(origin(key, layers))) {
                throw new InvalidRequestException(
                        source.path(),
                        "has no tensor like the student's '%s'".formatted(plain.name(key)),
                        "give the student the form of its source, or start it from random weights");
            }
        }
        return new SourceWeights(plain, key -> {
            TensorKey origin = origin(key, layers);
            if (key.part() == Part.BIAS && !from.has(origin)) {
                return Tensor.allocate("bias", ScalarFormat.F32, plain.shape(key));
            }
            return leading(source, whole.tensor().apply(origin), plain.shape(key));
        });
    }

    private static TensorKey origin(TensorKey key, int[] layers) {
        return key.layer() == TensorKey.NO_LAYER ? key : key.inLayer(layers[key.layer()]);
    }

    private static void requirePart(Checkpoint source, ModelConfig from, ModelConfig config) {
        if (!from.uniform() && !config.blocks().equals(from.blocks())) {
            throw new InvalidRequestException(
                    source.path(),
                    "its layers are of different shapes, and the student's are not the same ones",
                    "prune the model instead, or start the student from random weights");
        }
        Attention wanted = config.attention();
        Attention given = from.attention();
        if (wanted.headDimension() != given.headDimension() || wanted.groupSize() != given.groupSize()) {
            throw new InvalidRequestException(
                    source.path(),
                    "its heads are %d wide in groups of %d, the student's %d wide in groups of %d"
                            .formatted(
                                    given.headDimension(),
                                    given.groupSize(),
                                    wanted.headDimension(),
                                    wanted.groupSize()),
                    "give the student heads of the same width and grouping, or start it from random weights");
        }
        if (!config.uniform() && !config.blocks().equals(from.blocks())) {
            throw new InvalidRequestException(
                    source.path(), "the student's layers are of different shapes", "give it layers of one shape");
        }
        FeedForward ours = config.feedForward();
        FeedForward theirs = from.feedForward();
        if (ours.gated() != theirs.gated()
                || ours.activation() != theirs.activation()
                || !sameRouting(ours.experts(), theirs.experts())) {
            throw new InvalidRequestException(
                    source.path(),
                    "its feed-forward blocks are %s, the student's %s".formatted(describe(theirs), describe(ours)),
                    "give the student blocks of the same kind, or start it from random weights");
        }
        if (config.layers() > from.layers() || config.vocabularySize() != from.vocabularySize()) {
            throw new InvalidRequestException(
                    source.path(),
                    "has %d layers and a vocabulary of %,d, the student wants %d and %,d"
                            .formatted(from.layers(), from.vocabularySize(), config.layers(), config.vocabularySize()),
                    "a student has no more layers than its source, and the same vocabulary");
        }
    }

    /** Routers rank the experts they know: one expert less, and the others' shares are not what was learnt. */
    private static boolean sameRouting(Optional<Experts> ours, Optional<Experts> theirs) {
        return ours.map(each -> List.of(each.count(), each.used(), each.normalized()))
                .equals(theirs.map(each -> List.of(each.count(), each.used(), each.normalized())));
    }

    private static String describe(FeedForward form) {
        return "%s%s with %s"
                .formatted(
                        form.gated() ? "gated" : "plain",
                        form.experts()
                                .map(each -> ", %d of %d experts".formatted(each.used(), each.count()))
                                .orElse(""),
                        form.activation());
    }

    private static Tensor leading(Checkpoint source, Tensor tensor, long[] shape) {
        long[] given = tensor.shape();
        for (int i = 0; i < shape.length; i++) {
            if (shape[i] > given[i]) {
                throw new InvalidRequestException(
                        source.path(),
                        "tensor '%s' is %s, the student's %s"
                                .formatted(tensor.name(), Arrays.toString(given), Arrays.toString(shape)),
                        "a student made of a model's layers is not wider than the model");
            }
        }
        if (Arrays.equals(shape, given)) {
            return tensor;
        }
        Tensor cut = Tensor.allocate(tensor.name(), ScalarFormat.F32, shape);
        float[] row = new float[tensor.columns()];
        for (int i = 0; i < cut.rows(); i++) {
            tensor.readRow(i, row, 0);
            cut.writeRow(i, row, 0);
        }
        return cut;
    }
}
