package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.HiddenStates.Half;
import dev.demitasse.quantize.QuantizeOptions.Method;
import dev.demitasse.quantize.gptq.CoordinateDescent;
import dev.demitasse.quantize.gptq.FloatTarget;
import dev.demitasse.quantize.gptq.Gptq;
import dev.demitasse.quantize.gptq.GptqOptions;
import dev.demitasse.quantize.gptq.OutputError;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.Int8Grid;
import dev.demitasse.quantize.grid.Q40Grid;
import dev.demitasse.quantize.grid.Q80Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.CrossMoment;
import dev.demitasse.quantize.matrix.Hessian;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Quantizes layer by layer on what the layers before really give: q, k, v; then, on activations that have passed
 * them, the attention output; then gate and up; then down. One layer's weights, the moments of one input and the
 * residual stream of the calibration windows are held at a time; with a float target the float model's stream too.
 */
final class GptqLayers implements LayerQuantizer {
    /** With this many tokens for each column {@link #SUFFICIENT_DAMPING} is enough for a float target. */
    private static final double TOKENS_PER_COLUMN = 64;

    private static final double SUFFICIENT_DAMPING = 0.05;
    private static final double LARGEST_DAMPING = 0.3;

    /** What moments of several experts may take at once. */
    private static final long MOMENT_BYTES = 1L << 30;

    private final ModelConfig config;
    private final WeightSource source;
    private final FormatPlan plan;
    private final QuantizeOptions options;
    private final HiddenStates quantized;
    private final Optional<HiddenStates> exact;

    /**
     * @param embedding where the quantized model takes its embedding from
     */
    GptqLayers(
            ModelConfig config,
            WeightSource source,
            WeightSource embedding,
            FormatPlan plan,
            QuantizeOptions options,
            TokenWindows calibration) {
        this.config = config;
        this.source = source;
        this.plan = plan;
        this.options = options;
        this.quantized = HiddenStates.embed(config, embedding, calibration);
        boolean aims = options.method() == Method.GPTQ && options.floatTarget() > 0;
        this.exact = aims ? Optional.of(HiddenStates.embed(config, source, calibration)) : Optional.empty();
    }

    @Override
    public QuantizedLayer quantize(int layer) {
        return new OneLayer(layer).quantize();
    }

    /** The statistics that quantizing the projections of one input takes. */
    private record Moments(SecondMoment input, Optional<CrossMoment> drift, Optional<CrossMoment> residual) {}

    /** A layer on its way. */
    private final class OneLayer {
        private final int layer;
        private final ReplacedWeights weights = new ReplacedWeights(source);
        private final LayerOutcome outcome = new LayerOutcome(config, source);
        private final DecoderLayer exactLayer;

        OneLayer(int layer) {
            this.layer = layer;
            this.exactLayer = DecoderLayer.load(config, source, layer);
        }

        QuantizedLayer quantize() {
            half(
                    Half.ATTENTION,
                    keys(Role.QUERY, Role.KEY, Role.VALUE),
                    TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
            if (config.feedForward(layer).experts().isEmpty()) {
                half(Half.FEED_FORWARD, keys(Role.GATE, Role.UP), TensorKey.weight(Role.DOWN, layer));
            } else {
                experts();
            }
            return outcome.finish();
        }

        /** Those of the layer's weights that there are. */
        private List<TensorKey> keys(Role... roles) {
            return config.layerTensors(layer).stream()
                    .filter(key -> key.part() == Part.WEIGHT && List.of(roles).contains(key.role()))
                    .toList();
        }

        private void half(Half half, List<TensorKey> first, TensorKey last) {
            quantize(first, outerMoments(half));
            quantize(List.of(last), innerMoments(half, last, additive()));
            quantized.advance(current(), half);
        }

        /** Whether what the last projection of a half gives is added to the residual stream as it is. */
        private boolean additive() {
            boolean plain = switch (config.residual()) {
                case PRE_NORM, PARALLEL, PARALLEL_TWO_NORMS -> true;
                case POST_NORM, OUTPUT_NORM, SANDWICH_NORM -> false;
            };
            return plain && config.residualScale() == 1;
        }

        /**
         * The first projections of all experts by the moments of what the block sees, all tokens; the last of each by
         * those of the tokens it was sent. An expert that was sent none is rounded to nearest.
         */
        private void experts() {
            quantize(
                    keys(Role.EXPERT_GATE, Role.EXPERT_UP, Role.SHARED_GATE, Role.SHARED_UP),
                    outerMoments(Half.FEED_FORWARD));
            expertMoments(keys(Role.SHARED_DOWN)).forEach((key, moments) -> quantize(List.of(key), moments));
            List<TensorKey> down = keys(Role.EXPERT_DOWN);
            long width = config.columns(down.getFirst());
            int together = (int) Math.clamp(MOMENT_BYTES / (Double.BYTES * width * width), 1, down.size());
            for (int from = 0; from < down.size(); from += together) {
                List<TensorKey> some = down.subList(from, Math.min(down.size(), from + together));
                Map<TensorKey, Moments> seen = expertMoments(some);
                for (TensorKey key : some) {
                    Moments moments = seen.get(key);
                    if (moments != null) {
                        quantize(List.of(key), moments);
                    } else {
                        nearest(key);
                    }
                }
            }
            exact.ifPresent(states -> states.advance(exactLayer, Half.FEED_FORWARD));
            quantized.advance(current(), Half.FEED_FORWARD);
        }

        private void nearest(TensorKey key) {
            long start = System.nanoTime();
            RoundedTensor rounded = RoundedTensor.nearest(source.tensor(key), plan.of(key));
            take(key, rounded, Optional.empty(), start);
        }

        private void take(TensorKey key, RoundedTensor rounded, Optional<Double> error, long start) {
            outcome.put(key, rounded, error, start);
            weights.put(key, rounded.weight());
            rounded.scale().ifPresent(scale -> weights.put(key.part(Part.SCALE), scale));
        }

        /** Of what each of {@code projections}, the last of experts, sees of the quantized model's stream, if it sees any. */
        private Map<TensorKey, Moments> expertMoments(List<TensorKey> projections) {
            Map<TensorKey, Hessian> hessians = new LinkedHashMap<>();
            projections.forEach(key -> hessians.put(key, new Hessian(config.columns(key))));
            DecoderLayer current = current();
            for (int window = 0; window < quantized.count(); window++) {
                Half.FEED_FORWARD.run(current, quantized.window(window).copy(), (seen, input, tokens, columns) -> {
                    Hessian hessian = hessians.get(seen);
                    if (hessian != null) {
                        hessian.add(input, tokens);
                    }
                });
            }
            Map<TensorKey, Moments> moments = new LinkedHashMap<>();
            hessians.forEach((key, hessian) -> {
                if (hessian.tokens() > 0) {
                    moments.put(key, new Moments(hessian.moment(), Optional.empty(), Optional.empty()));
                }
            });
            return moments;
        }

        private DecoderLayer current() {
            return DecoderLayer.load(config, weights, layer);
        }

        /** Of what the half's first projections see. */
        private Moments outerMoments(Half half) {
            int width = config.hiddenSize();
            Hessian hessian = new Hessian(width);
            Optional<CrossMoment> drift = exact.map(states -> new CrossMoment(width, width));
            DecoderLayer current = current();
            for (int window = 0; window < quantized.count(); window++) {
                int tokens = quantized.length();
                float[] input = half.input(current, quantized.window(window));
                hessian.add(input, tokens);
                if (exact.isPresent() && drift.isPresent()) {
                    float[] exactInput = half.input(exactLayer, exact.get().window(window));
                    drift.get().add(difference(exactInput, input, tokens * width), input, tokens);
                }
            }
            return new Moments(hessian.moment(), drift, Optional.empty());
        }

        /** Of what the half's last projection sees; the exact stream goes through the half on the way. */
        private Moments innerMoments(Half half, TensorKey last, boolean additive) {
            int width = config.columns(last);
            Hessian hessian = new Hessian(width);
            Optional<CrossMoment> drift = exact.map(states -> new CrossMoment(width, width));
            Optional<CrossMoment> residual =
                    exact.filter(states -> additive).map(states -> new CrossMoment(config.hiddenSize(), width));
            DecoderLayer current = current();
            for (int window = 0; window < quantized.count(); window++) {
                int tokens = quantized.length();
                ResidualStream stream = quantized.window(window);
                float[] input = inner(half, last, current, stream.copy());
                hessian.add(input, tokens);
                if (exact.isPresent() && drift.isPresent()) {
                    ResidualStream exactStream = exact.get().window(window);
                    if (residual.isPresent()) {
                        float[] drifted = difference(exactStream.hidden(), stream.hidden(), stream.hidden().length);
                        residual.get().add(drifted, input, tokens);
                    }
                    float[] exactInput = inner(half, last, exactLayer, exactStream);
                    drift.get().add(difference(exactInput, input, tokens * width), input, tokens);
                }
            }
            return new Moments(hessian.moment(), drift, residual);
        }

        /** What {@code projection} sees while {@code stream} goes through the half. */
        private float[] inner(Half half, TensorKey projection, DecoderLayer through, ResidualStream stream) {
            int width = config.columns(projection);
            float[] captured = new float[quantized.length() * width];
            half.run(through, stream, (seen, input, tokens, columns) -> {
                if (seen.equals(projection)) {
                    System.arraycopy(input, 0, captured, 0, captured.length);
                }
            });
            return captured;
        }

        private void quantize(List<TensorKey> projections, Moments moments) {
            // All projections of an input have the same columns, so that one fits where all do.
            TensorFormat format = plan.of(projections.getFirst());
            Optional<Grid> grid = options.method() == Method.GPTQ ? grid(format) : Optional.empty();
            Optional<Gptq> gptq = grid.map(chosen ->
                    Gptq.prepare(moments.input(), chosen, GptqOptions.forBlocks(damping(moments), options.actOrder())));
            Optional<FloatTarget> target = gptq.isPresent() && moments.drift().isPresent()
                    ? Optional.of(new FloatTarget(
                            moments.drift().get(),
                            moments.residual(),
                            options.floatTarget(),
                            gptq.get().factor()))
                    : Optional.empty();
            for (TensorKey key : projections) {
                long start = System.nanoTime();
                Tensor original = source.tensor(key);
                Matrix weight = Matrix.of(original);
                Matrix aim = target.map(chosen -> chosen.of(weight)).orElse(weight);
                RoundedTensor rounded = gptq.isPresent()
                        ? rounded(gptq.get(), aim, moments.input(), original.name())
                        : RoundedTensor.nearest(original, format);
                double error = OutputError.relative(
                        weight.rows(), aim::readRow, (row, into, at) -> widen(rounded, row, into, at), moments.input());
                take(key, rounded, Optional.of(error), start);
            }
        }

        /**
         * Aiming at the float model's outputs fits two matrices to the calibration, which few tokens do not determine:
         * below {@value #TOKENS_PER_COLUMN} for each column damping rises in proportion.
         */
        private double damping(Moments moments) {
            double columns = moments.input().width();
            double scarcity = TOKENS_PER_COLUMN * columns / (quantized.count() * (double) quantized.length());
            double needed = Math.min(LARGEST_DAMPING, SUFFICIENT_DAMPING * scarcity);
            return exact.isPresent() ? Math.max(options.damping(), needed) : options.damping();
        }

        private RoundedTensor rounded(Gptq gptq, Matrix aim, SecondMoment moment, String name) {
            QuantizedMatrix matrix = gptq.quantize(aim).matrix();
            if (options.refinements() > 0) {
                CoordinateDescent.refine(matrix, aim, moment, gptq.damping(), options.refinements());
            }
            Optional<Tensor> scale = matrix.grid() instanceof Int8Grid
                    ? Optional.of(matrix.scaleTensor(name + "_scale"))
                    : Optional.empty();
            return new RoundedTensor(matrix.tensor(name), scale);
        }
    }

    private static Optional<Grid> grid(TensorFormat format) {
        return switch (format) {
            case Q4_0 q40 -> Optional.of(new Q40Grid());
            case Q8_0 q80 -> Optional.of(new Q80Grid());
            case BlockFormat other -> Optional.empty();
            case ScalarFormat scalar -> scalar == ScalarFormat.I8 ? Optional.of(new Int8Grid()) : Optional.empty();
        };
    }

    private static float[] difference(float[] left, float[] right, int count) {
        float[] difference = new float[count];
        for (int i = 0; i < count; i++) {
            difference[i] = left[i] - right[i];
        }
        return difference;
    }

    private static void widen(RoundedTensor tensor, int row, double[] target, int at) {
        float[] values = new float[tensor.weight().columns()];
        tensor.readRow(row, values, 0);
        for (int column = 0; column < values.length; column++) {
            target[at + column] = values[column];
        }
    }
}
