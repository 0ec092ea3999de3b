package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.onnx.OnnxBlocks;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The checkpoint's tensors as constants of the graph, under their names in a Hugging Face checkpoint. */
final class GraphWeights {
    private final Checkpoint source;
    private final GraphBuilder graph;
    private final OnnxOptions options;
    private final ExportReport.Builder report;
    private final ModelConfig config;
    private final Map<String, BlockFormat> blocks = new LinkedHashMap<>();

    GraphWeights(Checkpoint source, GraphBuilder graph, OnnxOptions options, ExportReport.Builder report) {
        this.source = source;
        this.graph = graph;
        this.options = options;
        this.report = report;
        this.config = source.config().huggingFaceForm();
    }

    /** What operators multiply a weight by. */
    enum Kind {
        FLOAT,
        /** INT8 codes and a scale to each row. */
        INTEGER,
        /** {@link OnnxBlocks}. */
        BLOCKS
    }

    /** The model as the graph computes it, its tensors as a Hugging Face checkpoint of the family has them. */
    ModelConfig config() {
        return config;
    }

    /**
     * How the weight of {@code key} stands in the graph.
     *
     * @throws InvalidRequestException if no operator multiplies by its format, and it is not to become float32
     */
    Kind kind(TensorKey key) {
        TensorFormat format = source.format(key);
        if (format == ScalarFormat.I8) {
            return Kind.INTEGER;
        }
        if (options.dequantized() || format instanceof ScalarFormat scalar && !scalar.rowScaled()) {
            return Kind.FLOAT;
        }
        if (OnnxBlocks.of(format).isEmpty()) {
            throw new InvalidRequestException(
                    source.path(),
                    "%s is %s, which no operator of ONNX multiplies by: MatMulNBits takes blocks of integers with one scale and an integer zero"
                            .formatted(name(key), format.weightName()),
                    "quantize it to int8, q8_0, q4_0 or an int4 group format, or export it as f32");
        }
        return Kind.BLOCKS;
    }

    /** How the inputs of {@code key}'s weight are rounded, if that is fixed. */
    Optional<InputQuantization> input(TensorKey key) {
        return Optional.ofNullable(options.inputs().get(config.input(key)));
    }

    /** The weights of block formats that stand in the graph, by name. */
    Map<String, BlockFormat> blocks() {
        return blocks;
    }

    /** F32: a norm's weight, a bias, an INT8 weight's scales. */
    String vector(TensorKey key) {
        float[] values = tensor(key).vector();
        report.stored(name(key), ScalarFormat.F32.id());
        return graph.floats(name(key), values, config.shape(key));
    }

    /** A norm's weight as it multiplies: 1 is added in the graph where it is stored without. */
    String normWeight(String scope, TensorKey key) {
        String stored = vector(key);
        return config.norm(key).unitOffset() ? graph.node(scope, "Add", stored, graph.scalar(1f)) : stored;
    }

    String scales(TensorKey weight) {
        return vector(weight.part(Part.SCALE));
    }

    /** The scale that the inputs of {@code key}'s weight are rounded by. */
    String inputScale(TensorKey key, InputQuantization input) {
        return graph.floats(name(config.input(key).part(Part.INPUT_SCALE)), new float[] {input.scale()});
    }

    /** The code of an input of 0 of {@code key}'s weight. */
    String inputZeroPoint(TensorKey key, InputQuantization input) {
        return graph.constant(
                Initializer.ofBytes(name(config.input(key).part(Part.INPUT_ZERO_POINT)), DataType.UINT8, new byte[] {
                    (byte) input.zeroPoint()
                }));
    }

    /** The matrix as it is multiplied, {@code [in, out]}: F32, or I8 codes. */
    String transposed(TensorKey key) {
        long[] shape = config.shape(key);
        Initializer.Source bytes = kind(key) == Kind.INTEGER
                ? target -> WeightBytes.transposedCodes(tensor(key), target)
                : target -> WeightBytes.transposedFloats(tensor(key), target);
        return matrix(key, bytes, shape[1], shape[0]);
    }

    /** A table of which rows are taken, {@code [rows, columns]}: F32, or I8 codes. */
    String rows(TensorKey key) {
        Initializer.Source bytes = kind(key) == Kind.INTEGER
                ? target -> WeightBytes.codes(tensor(key), target)
                : target -> WeightBytes.floats(tensor(key), target);
        return matrix(key, bytes, config.shape(key));
    }

    private String matrix(TensorKey key, Initializer.Source bytes, long... dimensions) {
        TensorFormat stored = source.format(key);
        boolean integer = kind(key) == Kind.INTEGER;
        ScalarFormat format = integer ? ScalarFormat.I8 : ScalarFormat.F32;
        report.stored(name(key), format.id());
        if (stored instanceof BlockFormat || stored.rowScaled() && !integer) {
            report.changed(name(key), stored.id(), format.id(), "dequantized, as was asked");
        }
        DataType type = integer ? DataType.INT8 : DataType.FLOAT;
        return graph.constant(
                new Initializer(name(key), type, dimensions, format.bytes(Tensor.elements(dimensions)), bytes));
    }

    /**
     * A weight of a block format.
     *
     * @param codes {@code [rows, blocks, bytes of a block]}
     * @param scales {@code [rows, blocks]}, F32
     * @param zeros {@code [rows, bytes]}, if blocks have zeros of their own
     */
    record Blocks(OnnxBlocks form, String codes, String scales, Optional<String> zeros) {}

    /** The weight of {@code key}, of a block format, its rows outputs. */
    Blocks blocks(String scope, TensorKey key) {
        OnnxBlocks form = OnnxBlocks.of(source.format(key)).orElseThrow();
        String name = name(key);
        int rows = config.rows(key);
        int columns = config.columns(key);
        int count = form.blocks(columns);
        blocks.put(name, form.format());
        report.stored(name, form.format().id());
        SplitRows split = new SplitRows(form, () -> tensor(key));
        String codes = graph.constant(new Initializer(
                name,
                DataType.UINT8,
                new long[] {rows, count, form.codeBytes()},
                (long) rows * count * form.codeBytes(),
                split::writeCodes));
        String halves = graph.constant(new Initializer(
                OnnxNames.blockScales(name),
                DataType.FLOAT16,
                new long[] {rows, count},
                (long) rows * count * Short.BYTES,
                split::writeScales));
        // Operators want them as wide as what they multiply; a runtime widens them when it loads the graph.
        String scales = graph.node(scope, "Cast", attribute("to", DataType.FLOAT.getNumber()), halves);
        Optional<String> zeros = form.hasZeros()
                ? Optional.of(graph.constant(new Initializer(
                        OnnxNames.blockZeros(name),
                        DataType.UINT8,
                        new long[] {rows, form.zeroBytes(columns)},
                        (long) rows * form.zeroBytes(columns),
                        split::writeZeros)))
                : Optional.empty();
        return new Blocks(form, codes, scales, zeros);
    }

    /** Read when its bytes are wanted, since its rows may have to be copied into another order. */
    private SourceTensor tensor(TensorKey key) {
        return SourceTensor.of(source, key, config);
    }

    private String name(TensorKey key) {
        return config.name(key);
    }
}
