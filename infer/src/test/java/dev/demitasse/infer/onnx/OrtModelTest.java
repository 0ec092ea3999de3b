package dev.demitasse.infer.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.onnx.OnnxNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * How inputs, cache and logits are passed, on the smallest graph that has them all: its keys are the token ids (and zeros), and its
 * logits the running sum of them over the cache, plus the position, plus the mask's length times 1000 for token 1.
 */
class OrtModelTest {
    private static final int VOCABULARY = 3;

    @TempDir
    Path folder;

    @Test
    void scoresAWindow() throws IOException {
        try (OrtModel model = OrtModel.open(write(graph()))) {
            assertThat(model.config().vocabularySize()).isEqualTo(VOCABULARY);
            assertThat(model.logits(new int[] {2, 0, 1})).containsExactly(2, 3002, 2, 3, 3003, 3, 5, 3005, 5);
        }
    }

    @Test
    void theCacheCarriesOverSteps() throws IOException {
        try (OrtModel model = OrtModel.open(write(graph()));
                Session session = model.newSession(4)) {
            assertThat(session.forward(new int[] {2, 0}, Logits.ALL)).containsExactly(2, 2002, 2, 3, 2003, 3);
            assertThat(session.forward(new int[] {1}, Logits.LAST)).containsExactly(5, 3005, 5);
            assertThat(session.forward(new int[] {1}, Logits.LAST)).containsExactly(7, 4007, 7);
            assertThat(session.position()).isEqualTo(4);
            assertThatThrownBy(() -> session.forward(new int[] {1}, Logits.LAST))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("4 of 4");
        }
    }

    /** Past LongRoPE's switch the whole sequence runs again: the graph's running sum is of all tokens, its cache of none. */
    @Test
    void keysThatTurnOtherwiseAreComputedAnew() throws IOException {
        Path file = write(graph());
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "vocab_size": 3, "hidden_size": 1, "num_hidden_layers": 1,
                 "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2, "intermediate_size": 1,
                 "max_position_embeddings": 16, "rope_scaling": {"rope_type": "longrope", "short_factor": [1.0],
                 "long_factor": [2.0], "original_max_position_embeddings": 2, "factor": 8.0}}
                """);
        try (OrtModel model = OrtModel.open(file);
                Session session = model.newSession(8)) {
            session.forward(new int[] {2, 0}, Logits.ALL);
            assertThat(session.forward(new int[] {1, 1}, Logits.ALL)).containsExactly(5, 4005, 5, 7, 4007, 7);
            assertThat(session.forward(new int[] {1}, Logits.LAST)).containsExactly(9, 5009, 9);
            assertThat(session.position()).isEqualTo(5);
        }
    }

    @Test
    void refusesWhatIsNoDecoder() throws IOException {
        Path notOnnx = folder.resolve("text.onnx");
        Files.writeString(notOnnx, "not a graph");
        assertThatThrownBy(() -> OrtModel.open(notOnnx)).isInstanceOf(MalformedModelException.class);
        assertThatThrownBy(() -> OrtModel.open(folder.resolve("absent.onnx")))
                .isInstanceOf(InvalidRequestException.class);
        GraphProto noCache = GraphProto.newBuilder()
                .setName("identity")
                .addInput(value("x", TensorProto.DataType.FLOAT, 1))
                .addOutput(value("y", TensorProto.DataType.FLOAT, 1))
                .addNode(node("Identity", List.of("x"), "y"))
                .build();
        Path identity = write(noCache);
        assertThatThrownBy(() -> OrtModel.open(identity))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("[x]");
    }

    @Test
    void refusesTokensOutsideTheVocabulary() throws IOException {
        try (OrtModel model = OrtModel.open(write(graph()))) {
            assertThatThrownBy(() -> model.logits(new int[] {3}))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("3");
        }
    }

    private static GraphProto graph() {
        TensorProto.DataType ints = TensorProto.DataType.INT64;
        TensorProto.DataType floats = TensorProto.DataType.FLOAT;
        return GraphProto.newBuilder()
                .setName("running sum")
                .addInput(value(OnnxNames.INPUT_IDS, ints, 1, -1))
                .addInput(value(OnnxNames.ATTENTION_MASK, ints, 1, -1))
                .addInput(value(OnnxNames.POSITION_IDS, ints, 1, -1))
                .addInput(value(OnnxNames.pastKey(0), floats, 1, 1, -1, 2))
                .addInput(value(OnnxNames.pastValue(0), floats, 1, 1, -1, 2))
                .addOutput(value(OnnxNames.LOGITS, floats, 1, -1, VOCABULARY))
                .addOutput(value(OnnxNames.presentKey(0), floats, 1, 1, -1, 2))
                .addOutput(value(OnnxNames.presentValue(0), floats, 1, 1, -1, 2))
                .addInitializer(longs("shape", 1, 1, -1, 1))
                .addInitializer(longs("row", 1, -1, 1))
                .addInitializer(constants("table", 0, 1000, 0))
                .addInitializer(TensorProto.newBuilder()
                        .setName("past axis")
                        .setDataType(ints.getNumber())
                        .addInt64Data(2))
                .addNode(cast(OnnxNames.INPUT_IDS, "ids"))
                .addNode(node("Reshape", List.of("ids", "shape"), "numbers"))
                .addNode(node("Sub", List.of("numbers", "numbers"), "zeros"))
                .addNode(concat(3, "numbers", "zeros", "new keys"))
                .addNode(concat(2, OnnxNames.pastKey(0), "new keys", OnnxNames.presentKey(0)))
                .addNode(concat(2, OnnxNames.pastValue(0), "new keys", OnnxNames.presentValue(0)))
                .addNode(node("CumSum", List.of("numbers", "past axis"), "sums"))
                .addNode(node("ReduceSum", List.of(OnnxNames.pastKey(0)), "before"))
                .addNode(node("Add", List.of("sums", "before"), "totals"))
                .addNode(node("Reshape", List.of("totals", "row"), "column"))
                .addNode(cast(OnnxNames.POSITION_IDS, "positions"))
                .addNode(node("Reshape", List.of("positions", "row"), "position column"))
                .addNode(cast(OnnxNames.ATTENTION_MASK, "mask"))
                .addNode(node("ReduceSum", List.of("mask"), "mask length"))
                .addNode(node("Squeeze", List.of("mask length"), "length"))
                .addNode(node("Mul", List.of("table", "length"), "scaled"))
                .addNode(node("Add", List.of("column", "position column"), "both"))
                .addNode(node("Add", List.of("both", "scaled"), OnnxNames.LOGITS))
                .build();
    }

    private Path write(GraphProto graph) throws IOException {
        ModelProto model = ModelProto.newBuilder()
                .setIrVersion(8)
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(18))
                .setGraph(graph)
                .build();
        Path file = Files.createTempFile(folder, "model", ".onnx");
        Files.write(file, model.toByteArray());
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "vocab_size": 3, "hidden_size": 1, "num_hidden_layers": 1,
                 "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2, "intermediate_size": 1,
                 "max_position_embeddings": 16}
                """);
        return file;
    }

    private static NodeProto.Builder node(String type, List<String> inputs, String output) {
        return NodeProto.newBuilder().setOpType(type).addAllInput(inputs).addOutput(output);
    }

    private static NodeProto.Builder cast(String input, String output) {
        return node("Cast", List.of(input), output)
                .addAttribute(integer("to").setI(TensorProto.DataType.FLOAT.getNumber()));
    }

    private static NodeProto.Builder concat(int axis, String first, String second, String output) {
        return node("Concat", List.of(first, second), output)
                .addAttribute(integer("axis").setI(axis));
    }

    private static AttributeProto.Builder integer(String name) {
        return AttributeProto.newBuilder().setName(name).setType(AttributeProto.AttributeType.INT);
    }

    private static TensorProto.Builder longs(String name, long... values) {
        TensorProto.Builder tensor = TensorProto.newBuilder()
                .setName(name)
                .setDataType(TensorProto.DataType.INT64.getNumber())
                .addDims(values.length);
        for (long value : values) {
            tensor.addInt64Data(value);
        }
        return tensor;
    }

    private static TensorProto.Builder constants(String name, float... values) {
        TensorProto.Builder tensor = TensorProto.newBuilder()
                .setName(name)
                .setDataType(TensorProto.DataType.FLOAT.getNumber())
                .addDims(values.length);
        for (float value : values) {
            tensor.addFloatData(value);
        }
        return tensor;
    }

    /** Of a tensor whose dimensions of −1 are open. */
    private static ValueInfoProto.Builder value(String name, TensorProto.DataType type, int... shape) {
        TensorShapeProto.Builder dimensions = TensorShapeProto.newBuilder();
        for (int size : shape) {
            TensorShapeProto.Dimension.Builder dimension = TensorShapeProto.Dimension.newBuilder();
            dimensions.addDim(size < 0 ? dimension.setDimParam(name + " length") : dimension.setDimValue(size));
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(type.getNumber())
                                .setShape(dimensions)));
    }
}
