package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;

/** The checkpoint's tensors as constants of the graph, under their names in a Hugging Face checkpoint. */
final class GraphWeights {
    private final Checkpoint source;
    private final GraphBuilder graph;
    private final ExportReport.Builder report;

    GraphWeights(Checkpoint source, GraphBuilder graph, ExportReport.Builder report) {
        this.source = source;
        this.graph = graph;
        this.report = report;
    }

    ModelConfig config() {
        return source.config();
    }

    /** Whether the weight of {@code key} is stored as INT8 codes and scales. */
    boolean integer(TensorKey key) {
        return source.tensor(key).format() == ScalarFormat.I8;
    }

    /** F32 {@code [n]}: a norm's weight, a bias, an INT8 weight's scales. */
    String vector(TensorKey key) {
        SourceTensor vector = tensor(key);
        String name = name(key);
        report.stored(name, ScalarFormat.F32.id());
        return graph.floats(name, vector.vector(), vector.stored().elements());
    }

    String scales(TensorKey weight) {
        return vector(weight.part(Part.SCALE));
    }

    /** The matrix as it is multiplied, {@code [in, out]}: F32, or I8 codes. */
    String transposed(TensorKey key) {
        SourceTensor matrix = tensor(key);
        long[] dimensions = {matrix.columns(), matrix.rows()};
        return matrix.integer()
                ? matrix(key, matrix, DataType.INT8, dimensions, target -> WeightBytes.transposedCodes(matrix, target))
                : matrix(
                        key,
                        matrix,
                        DataType.FLOAT,
                        dimensions,
                        target -> WeightBytes.transposedFloats(matrix, target));
    }

    /** The embedding, {@code [vocabulary, hidden]}: F32, or I8 codes. */
    String rows(TensorKey key) {
        SourceTensor matrix = tensor(key);
        long[] dimensions = {matrix.rows(), matrix.columns()};
        return matrix.integer()
                ? matrix(key, matrix, DataType.INT8, dimensions, target -> WeightBytes.codes(matrix, target))
                : matrix(key, matrix, DataType.FLOAT, dimensions, target -> WeightBytes.floats(matrix, target));
    }

    private String matrix(
            TensorKey key, SourceTensor matrix, DataType type, long[] dimensions, Initializer.Source bytes) {
        String name = name(key);
        ScalarFormat format = type == DataType.INT8 ? ScalarFormat.I8 : ScalarFormat.F32;
        report.stored(name, format.id());
        if (matrix.format() instanceof BlockFormat) {
            report.changed(name, matrix.format().id(), format.id(), "ONNX has no such block format: dequantized");
        }
        return graph.constant(
                new Initializer(name, type, dimensions, format.bytes(Tensor.elements(dimensions)), bytes));
    }

    private SourceTensor tensor(TensorKey key) {
        return SourceTensor.of(source, key, Pairing.HALVES);
    }

    private String name(TensorKey key) {
        return config().family().names().huggingFace(key);
    }
}
