package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.HiddenStates.Half;
import dev.demitasse.quantize.gptq.OutputError;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.CrossMoment;
import dev.demitasse.quantize.matrix.Hessian;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.mix.TensorPlan;
import dev.demitasse.quantize.transform.Clipping;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Quantizes layer by layer on what the layers before really give: q, k, v; then, on activations that have passed
 * them, the attention output; then gate and up; then down. One layer's weights, the moments of one input and the
 * residual stream of the calibration windows are held at a time; with a float target the float model's stream too.
 */
final class GptqLayers implements LayerQuantizer {
    /** What the inputs of one projection may take to be kept for the forward pass after it. */
    private static final long INNER_BYTES = 1L << 29;

    /** What moments of several experts may take at once. */
    private static final long MOMENT_BYTES = 1L << 30;

    private final ModelConfig config;
    private final WeightSource source;
    private final TensorPlan plan;
    private final QuantizeOptions options;
    private final HiddenStates quantized;
    private final Optional<HiddenStates> exact;
    private final Optional<TransformedLayers> transform;

    /**
     * @param embedding where the quantized model takes its embedding from
     */
    GptqLayers(
            ModelConfig config,
            WeightSource source,
            WeightSource embedding,
            TensorPlan plan,
            QuantizeOptions options,
            TokenWindows calibration,
            Optional<TransformedLayers> transform,
            StateStore store)
            throws IOException {
        this.config = config;
        this.transform = transform;
        this.source = source;
        this.plan = plan;
        this.options = options;
        this.quantized = HiddenStates.embed(config, embedding, calibration, store);
        boolean aims = options.compensates() && options.floatTarget() > 0;
        this.exact = aims ? Optional.of(HiddenStates.embed(config, source, calibration, store)) : Optional.empty();
    }

    @Override
    public QuantizedLayer quantize(int layer, LayerProgress progress) {
        return new OneLayer(layer, progress).quantize();
    }

    @Override
    public List<HiddenStates> states() {
        return Stream.of(
                        Stream.of(quantized), exact.stream(), transform.stream().map(TransformedLayers::states))
                .flatMap(states -> states)
                .toList();
    }

    /** A layer on its way. */
    private final class OneLayer {
        private final int layer;
        /** The layer's float weights, transformed if they are to be. */
        private final WeightSource exactWeights;

        private final ReplacedWeights weights;
        private final LayerOutcome outcome;
        private final DecoderLayer exactLayer;
        private final LayerProgress progress;
        private final LayerWork work;

        OneLayer(int layer, LayerProgress progress) {
            this.layer = layer;
            this.progress = progress;
            this.work = new LayerWork(config, quantized.count(), quantized.length(), exact.isPresent());
            progress.expect(work());
            this.exactWeights =
                    transform.map(layers -> layers.layer(layer, progress)).orElse(source);
            this.weights = new ReplacedWeights(exactWeights);
            this.outcome = new LayerOutcome(config, exactWeights);
            this.exactLayer = DecoderLayer.load(config, exactWeights, layer);
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
            for (TensorKey key : config.layerTensors(layer)) {
                if (!TensorPlan.quantizes(key)) {
                    outcome.put(key, exactWeights.tensor(key));
                }
            }
            return outcome.finish();
        }

        /** What the whole layer takes. */
        private double work() {
            List<TensorKey> attention = keys(Role.QUERY, Role.KEY, Role.VALUE);
            double first = work.half(attention, TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
            return config.feedForward(layer).experts().isEmpty()
                    ? first + work.half(keys(Role.GATE, Role.UP), TensorKey.weight(Role.DOWN, layer))
                    : first
                            + config.layerTensors(layer).stream()
                                    .filter(key -> key.expert() >= 0 && TensorPlan.quantizes(key))
                                    .mapToDouble(work::projection)
                                    .sum();
        }

        /** Those of the layer's weights that there are. */
        private List<TensorKey> keys(Role... roles) {
            return config.layerTensors(layer).stream()
                    .filter(key -> key.part() == Part.WEIGHT && List.of(roles).contains(key.role()))
                    .toList();
        }

        private void half(Half half, List<TensorKey> first, TensorKey last) {
            quantize(first, outerMoments(half));
            InnerInputs inputs = new InnerInputs(half, quantized.count(), quantized.length() * config.columns(last));
            quantize(List.of(last), innerMoments(half, last, inputs, work.inner(first, last)));
            DecoderLayer current = current();
            for (int window = 0; window < quantized.count(); window++) {
                ResidualStream stream = quantized.read(window);
                half.complete(current, stream, inputs.of(window, current, stream));
                quantized.write(window, stream);
                progress.add(work.completion(last));
            }
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
            exact.ifPresent(states -> states.feedForward(exactLayer));
            quantized.feedForward(current());
        }

        private void nearest(TensorKey key) {
            long start = System.nanoTime();
            Tensor original = exactWeights.tensor(key);
            Matrix weight = Matrix.of(original);
            RoundedTensor matrix = RoundedTensor.nearest(original, plan.of(key));
            RoundedTensor rounded = options.outliers()
                    .map(choice -> KeptColumns.largest(choice, weight).beside(matrix, weight, false))
                    .orElse(matrix);
            take(key, rounded, Optional.empty(), Optional.empty(), start);
        }

        private void take(
                TensorKey key, RoundedTensor rounded, Optional<Double> error, Optional<Double> silent, long start) {
            outcome.put(key, rounded, error, silent, start);
            weights.putAll(rounded.tensors(key));
            progress.add(work.projection(key));
        }

        /** Of what each of {@code projections}, the last of experts, sees of the quantized model's stream, if it sees any. */
        private Map<TensorKey, Moments> expertMoments(List<TensorKey> projections) {
            Map<TensorKey, Hessian> hessians = new LinkedHashMap<>();
            projections.forEach(key -> hessians.put(key, new Hessian(config.columns(key))));
            DecoderLayer current = current();
            for (int window = 0; window < quantized.count(); window++) {
                current.feedForward(quantized.read(window).copy(), (seen, input, tokens, columns) -> {
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
                float[] input = half.input(current, quantized.read(window));
                hessian.add(input, tokens);
                if (exact.isPresent() && drift.isPresent()) {
                    float[] exactInput = half.input(exactLayer, exact.get().read(window));
                    drift.get().add(difference(exactInput, input, tokens * width), input, tokens);
                }
                progress.add(work.outer());
            }
            return new Moments(hessian.moment(), drift.map(CrossMoment::panels), Optional.empty());
        }

        /**
         * Of what the half's last projection sees; the exact stream goes through the half on the way. What the projection
         * misses is, where it adds to the residual stream, what that misses after it; else what its own output does.
         */
        private Moments innerMoments(Half half, TensorKey last, InnerInputs inputs, double operations) {
            int width = config.columns(last);
            Hessian hessian = new Hessian(width);
            Optional<CrossMoment> missed = exact.map(states -> new CrossMoment(config.hiddenSize(), width));
            Linear projection = Linear.load(config, exactWeights, last);
            DecoderLayer current = current();
            int tokens = quantized.length();
            int count = tokens * config.hiddenSize();
            float[] given = new float[count];
            for (int window = 0; window < quantized.count(); window++) {
                ResidualStream stream = quantized.read(window);
                float[] input = inputs.take(window, half.inner(current, stream));
                if (stream.kept().isPresent()) {
                    quantized.write(window, stream);
                }
                hessian.add(input, tokens);
                if (exact.isPresent() && missed.isPresent()) {
                    ResidualStream exactStream = exact.get().read(window);
                    float[] exactInput = half.inner(exactLayer, exactStream);
                    half.complete(exactLayer, exactStream, exactInput);
                    exact.get().write(window, exactStream);
                    projection.multiply(input, tokens, given);
                    float[] wanted = exactStream.hidden();
                    if (additive()) {
                        add(stream.hidden(), given);
                    } else {
                        wanted = new float[count];
                        projection.multiply(exactInput, tokens, wanted);
                    }
                    missed.get().add(difference(wanted, given, count), input, tokens);
                }
                progress.add(operations);
            }
            return new Moments(hessian.moment(), Optional.empty(), missed.map(CrossMoment::matrix));
        }

        private void quantize(List<TensorKey> projections, Moments moments) {
            List<Grid> grids = projections.stream()
                    .flatMap(key -> Grid.of(plan.of(key), config.columns(key)).stream())
                    .toList();
            Optional<KeptColumns> kept = keep(projections, moments.input());
            SecondMoment remaining = kept.map(KeptColumns::remaining).orElseGet(moments::input);
            boolean compensates = options.compensates() && !grids.isEmpty();
            Optional<Compensation> compensation = compensates
                    ? Optional.of(new Compensation(options, moments, remaining, grids, tokens()))
                    : Optional.empty();
            for (TensorKey key : projections) {
                long start = System.nanoTime();
                Tensor original = exactWeights.tensor(key);
                Matrix weight = Matrix.of(original);
                Matrix aim = compensation.map(chosen -> chosen.aim(weight)).orElse(weight);
                Matrix rest = kept.map(columns -> columns.without(aim)).orElse(aim);
                Optional<RowScales> relative = RowScales.of(plan.of(key), rest);
                Matrix divided = relative.map(scales -> scales.divide(rest)).orElse(rest);
                RoundedTensor matrix = Grid.of(plan.of(key), weight.columns())
                        .flatMap(grid -> compensation
                                .map(chosen -> chosen.quantize(divided, grid))
                                .or(() -> weighted(key, divided, grid, moments.input())))
                        .map(codes -> RoundedTensor.of(codes, original.name(), plan.of(key), relative))
                        .orElseGet(() -> toNearest(original.name(), rest, plan.of(key)));
                RoundedTensor rounded = kept.map(columns -> columns.beside(matrix, aim, compensates))
                        .orElse(matrix);
                double error = OutputError.relative(
                        weight.rows(), aim::readRow, (row, into, at) -> widen(rounded, row, into, at), moments.input());
                take(
                        key,
                        rounded,
                        Optional.of(error),
                        Optional.of(moments.input().silent()),
                        start);
            }
        }

        /** The columns that stay as they are, if some are to. */
        private Optional<KeptColumns> keep(List<TensorKey> projections, SecondMoment moment) {
            return options.outliers()
                    .map(choice -> KeptColumns.choose(
                            choice,
                            moment,
                            projections.stream()
                                    .map(key -> Matrix.of(exactWeights.tensor(key)))
                                    .toList(),
                            weight -> decoded(toNearest("weight", weight, plan.of(projections.getFirst()))),
                            options.damping()));
        }

        /** Round-to-nearest by the importance of columns, if that is the method. */
        private Optional<QuantizedMatrix> weighted(TensorKey key, Matrix weight, Grid grid, SecondMoment moment) {
            return switch (options.method()) {
                case IMPORTANCE -> Optional.of(RoundToNearest.quantize(weight, grid, moment.diagonal()));
                case AWQ -> {
                    // What queries and keys give goes through a softmax, and is left as it is; a row is no block to
                    // bound.
                    boolean bounds = options.clip() && !key.role().rotates() && grid.blockSize() < weight.columns();
                    Matrix clipped = bounds ? Clipping.clip(weight, moment, grid) : weight;
                    yield Optional.of(RoundToNearest.quantize(clipped, grid, moment.diagonal()));
                }
                case RTN, SMOOTHQUANT, GPTQ, SIGNROUND -> Optional.empty();
            };
        }
    }

    private long tokens() {
        return (long) quantized.count() * quantized.length();
    }

    /** What the last projection of a half sees in each window: kept where there is room, else found again. */
    private static final class InnerInputs {
        private final Half half;
        private final float[][] kept;

        InnerInputs(Half half, int windows, long numbers) {
            this.half = half;
            this.kept = new float[(int) Math.min(windows, INNER_BYTES / (Float.BYTES * numbers))][];
        }

        float[] take(int window, float[] input) {
            if (window < kept.length) {
                kept[window] = input;
            }
            return input;
        }

        float[] of(int window, DecoderLayer layer, ResidualStream stream) {
            return window < kept.length ? kept[window] : half.inner(layer, stream);
        }
    }

    private static void add(float[] addend, float[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += addend[i];
        }
    }

    private static float[] difference(float[] left, float[] right, int count) {
        float[] difference = new float[count];
        for (int i = 0; i < count; i++) {
            difference[i] = left[i] - right[i];
        }
        return difference;
    }

    private static RoundedTensor toNearest(String name, Matrix weight, TensorFormat format) {
        return RoundedTensor.nearest(Tensor.ofFloats(name, weight.values(), weight.rows(), weight.columns()), format);
    }

    private static Matrix decoded(RoundedTensor tensor) {
        Matrix decoded = new Matrix(
                tensor.weight().rows(),
                tensor.weight().columns(),
                new float
                        [Math.multiplyExact(
                                tensor.weight().rows(), tensor.weight().columns())]);
        for (int row = 0; row < decoded.rows(); row++) {
            tensor.readRow(row, decoded.values(), row * decoded.columns());
        }
        return decoded;
    }

    private static void widen(RoundedTensor tensor, int row, double[] target, int at) {
        float[] values = new float[tensor.weight().columns()];
        tensor.readRow(row, values, 0);
        for (int column = 0; column < values.length; column++) {
            target[at + column] = values[column];
        }
    }
}
