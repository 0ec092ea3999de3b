package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Assembles a graph. Values are known by their names; a node's output is called after the scope it stands in. */
final class GraphBuilder {
    /** The domain of ONNX Runtime's own operators. */
    static final String CONTRIBUTED = "com.microsoft";

    private final GraphProto.Builder graph = GraphProto.newBuilder().setName("demitasse");
    private final Map<String, Initializer> initializers = new LinkedHashMap<>();
    private final Map<String, Integer> names = new HashMap<>();
    private boolean contributed;

    /** A graph input; dimensions are Long, or String for one that varies. */
    void input(String name, TensorProto.DataType type, Object... dimensions) {
        graph.addInput(value(name, type, dimensions));
    }

    /** Declares the value {@code from} an output called {@code name}. */
    void output(String from, String name, TensorProto.DataType type, Object... dimensions) {
        if (!from.equals(name)) {
            graph.addNode(NodeProto.newBuilder()
                    .setOpType("Identity")
                    .setName(name + "/Identity")
                    .addInput(from)
                    .addOutput(name));
        }
        graph.addOutput(value(name, type, dimensions));
    }

    private static ValueInfoProto value(String name, TensorProto.DataType type, Object... dimensions) {
        TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
        for (Object dimension : dimensions) {
            if (dimension instanceof Number number) {
                shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimValue(number.longValue()));
            } else {
                shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimParam(dimension.toString()));
            }
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(type.getNumber())
                                .setShape(shape)))
                .build();
    }

    /** Adds a node with one output. */
    String node(String scope, String operator, String... inputs) {
        return node(scope, operator, List.of(), 1, inputs).getFirst();
    }

    /** Adds a node with one output and an attribute. */
    String node(String scope, String operator, AttributeProto attribute, String... inputs) {
        return node(scope, operator, List.of(attribute), 1, inputs).getFirst();
    }

    /** Adds a node; gives the names of its outputs. */
    List<String> node(String scope, String operator, List<AttributeProto> attributes, int outputs, String... inputs) {
        String name = unique(scope + "/" + operator);
        List<String> results = outputs == 1
                ? List.of(name)
                : IntStream.range(0, outputs).mapToObj(i -> name + "." + i).toList();
        graph.addNode(NodeProto.newBuilder()
                .setOpType(operator)
                .setName(name)
                .addAllInput(Arrays.asList(inputs))
                .addAllOutput(results)
                .addAllAttribute(attributes));
        return results;
    }

    /** Adds a node with one output, of an operator that ONNX Runtime adds to ONNX's. */
    String contributed(String scope, String operator, List<AttributeProto> attributes, List<String> inputs) {
        String name = unique(scope + "/" + operator);
        graph.addNode(NodeProto.newBuilder()
                .setDomain(CONTRIBUTED)
                .setOpType(operator)
                .setName(name)
                .addAllInput(inputs)
                .addOutput(name)
                .addAllAttribute(attributes));
        contributed = true;
        return name;
    }

    /** Whether any operator is not of ONNX itself. */
    boolean contributed() {
        return contributed;
    }

    /** {@code value · factor}; nothing is added for a factor of 1. */
    String times(String scope, String value, double factor) {
        return factor == 1 ? value : node(scope, "Mul", value, scalar((float) factor));
    }

    /** The int64 dimension {@code axis} of {@code value}, as a vector of one. */
    String dimension(String scope, String value, int axis) {
        return node(scope, "Shape", List.of(attribute("start", axis), attribute("end", axis + 1)), 1, value)
                .getFirst();
    }

    private String unique(String name) {
        int count = names.merge(name, 1, Integer::sum);
        return count == 1 ? name : name + "_" + count;
    }

    static AttributeProto attribute(String name, long value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.INT)
                .setI(value)
                .build();
    }

    static AttributeProto attribute(String name, double value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.FLOAT)
                .setF((float) value)
                .build();
    }

    static AttributeProto attribute(String name, long... values) {
        AttributeProto.Builder attribute =
                AttributeProto.newBuilder().setName(name).setType(AttributeProto.AttributeType.INTS);
        for (long value : values) {
            attribute.addInts(value);
        }
        return attribute.build();
    }

    /** A constant; one of the same name is taken to be the same. */
    String constant(Initializer initializer) {
        initializers.putIfAbsent(initializer.name(), initializer);
        return initializer.name();
    }

    /** The int64 vector {@code values}. */
    String longs(long... values) {
        return constant(Initializer.ofBytes(
                "int64" + Arrays.toString(values), TensorProto.DataType.INT64, bytes(values), values.length));
    }

    /** An int64 without dimensions. */
    String scalar(long value) {
        return constant(Initializer.ofBytes("int64:" + value, TensorProto.DataType.INT64, bytes(value)));
    }

    /** A float without dimensions. */
    String scalar(float value) {
        return floats("float:" + value, new float[] {value});
    }

    /** The constant {@code values}, rounded to float32. */
    String floats(String name, double[] values, long... dimensions) {
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            rounded[i] = (float) values[i];
        }
        return floats(name, rounded, dimensions);
    }

    String floats(String name, float[] values, long... dimensions) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return constant(Initializer.ofBytes(name, TensorProto.DataType.FLOAT, bytes.array(), dimensions));
    }

    private static byte[] bytes(long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(values);
        return bytes.array();
    }

    /** The graph without its constants. */
    GraphProto graph() {
        return graph.build();
    }

    Collection<Initializer> initializers() {
        return initializers.values();
    }
}
