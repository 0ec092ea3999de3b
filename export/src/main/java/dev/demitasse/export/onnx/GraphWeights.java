package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;

/** The checkpoint's tensors as constants of the graph, under their names in a Hugging Face checkpoint. */
final class GraphWeights {
    private final Checkpoint source;
    private final GraphBuilder graph;
    private final ExportReport.Builder report;
    private final ModelConfig config;

    GraphWeights(Checkpoint source, GraphBuilder graph, ExportReport.Builder report) {
        this.source = source;
        this.graph = graph;
        this.report = report;
        this.config = source.config().huggingFaceForm();
    }

    /** The model as the graph computes it, its tensors as a Hugging Face checkpoint of the family has them. */
    ModelConfig config() {
        return config;
    }

    /** Whether the weight of {@code key} is stored as INT8 codes and scales. */
    boolean integer(TensorKey key) {
        return source.format(key) == ScalarFormat.I8;
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

    /** The matrix as it is multiplied, {@code [in, out]}: F32, or I8 codes. */
    String transposed(TensorKey key) {
        long[] shape = config.shape(key);
        Initializer.Source bytes = integer(key)
                ? target -> WeightBytes.transposedCodes(tensor(key), target)
                : target -> WeightBytes.transposedFloats(tensor(key), target);
        return matrix(key, bytes, shape[1], shape[0]);
    }

    /** A table of which rows are taken, {@code [rows, columns]}: F32, or I8 codes. */
    String rows(TensorKey key) {
        Initializer.Source bytes = integer(key)
                ? target -> WeightBytes.codes(tensor(key), target)
                : target -> WeightBytes.floats(tensor(key), target);
        return matrix(key, bytes, config.shape(key));
    }

    private String matrix(TensorKey key, Initializer.Source bytes, long... dimensions) {
        TensorFormat stored = source.format(key);
        ScalarFormat format = integer(key) ? ScalarFormat.I8 : ScalarFormat.F32;
        report.stored(name(key), format.id());
        if (stored instanceof BlockFormat || stored == ScalarFormat.F8_E4M3) {
            report.changed(name(key), stored.id(), format.id(), "the graph has no such format: dequantized");
        }
        DataType type = integer(key) ? DataType.INT8 : DataType.FLOAT;
        return graph.constant(
                new Initializer(name(key), type, dimensions, format.bytes(Tensor.elements(dimensions)), bytes));
    }

    /** Read when its bytes are wanted, since its rows may have to be copied into another order. */
    private SourceTensor tensor(TensorKey key) {
        return SourceTensor.of(source, key, config);
    }

    private String name(TensorKey key) {
        return config.name(key);
    }
}
