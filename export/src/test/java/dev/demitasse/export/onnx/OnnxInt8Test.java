package dev.demitasse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.Int8Checkpoints;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.onnx.OnnxCheckpoint;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** INT8 weights are multiplied in integers, and stand in the file as the checkpoint has them. */
class OnnxInt8Test {
    @TempDir
    Path folder;

    /**
     * One projection in ONNX Runtime against the arithmetic that the operators' definitions give
     * (onnx.ai/onnx/operators: DynamicQuantizeLinear, MatMulInteger; QuantizeLinear, DequantizeLinear).
     */
    @Test
    void projectsAsTheOperatorsAreDefined() throws Exception {
        Path packed = folder.resolve("int8");
        Int8Checkpoints.write(SharedData.require("golden/llama_bias_headdim"), packed, false);
        TensorKey key = TensorKey.weight(Role.QUERY, 1);
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            int tokens = 5;
            int width = checkpoint.config().hiddenSize();
            float[] input = new float[tokens * width];
            Random random = new Random(3);
            for (int i = 0; i < input.length; i++) {
                // The first token is far larger than the others, as in many models.
                input[i] = (float) random.nextGaussian() * (i < width ? 50 : 1);
            }
            float[] magnitudes = magnitudes(input, tokens);
            float[] divided = input.clone();
            for (int i = 0; i < input.length; i++) {
                divided[i] /= magnitudes[i / width];
            }
            assertClose(
                    runProjection(checkpoint, OnnxOptions.DEFAULT, key, input, tokens),
                    project(checkpoint, key, divided, tokens, byRange(divided), magnitudes));
            // Some inputs lie beyond what a fixed scale reaches.
            InputQuantization fixed = InputQuantization.over(-1.7f, 2.1f);
            assertThat(fixed.zeroPoint()).isEqualTo(114);
            float[] ones = new float[tokens];
            Arrays.fill(ones, 1);
            OnnxOptions options = OnnxOptions.DEFAULT.withInputs(Map.of(key, fixed));
            assertClose(
                    runProjection(checkpoint, options, key, input, tokens),
                    project(checkpoint, key, input, tokens, fixed, ones));
            assertClose(
                    runProjection(checkpoint, options, TensorKey.weight(Role.VALUE, 1), input, tokens),
                    project(checkpoint, TensorKey.weight(Role.VALUE, 1), input, tokens, fixed, ones));
        }
    }

    private static void assertClose(float[] output, float[] expected) {
        assertThat(output).hasSameSizeAs(expected);
        for (int i = 0; i < output.length; i++) {
            assertThat(output[i])
                    .as("output %d", i)
                    .isCloseTo(expected[i], within(1e-5f * Math.max(1, Math.abs(expected[i]))));
        }
    }

    private static float[] magnitudes(float[] input, int tokens) {
        float[] magnitudes = new float[tokens];
        int width = input.length / tokens;
        for (int i = 0; i < input.length; i++) {
            magnitudes[i / width] = Math.max(magnitudes[i / width], Math.abs(input[i]));
        }
        return magnitudes;
    }

    private static InputQuantization byRange(float[] input) {
        float least = 0;
        float most = 0;
        for (float value : input) {
            least = Math.min(least, value);
            most = Math.max(most, value);
        }
        float step = (most - least) / 255;
        return new InputQuantization(step, Math.clamp((int) Math.rint(-least / step), 0, 255));
    }

    private float[] runProjection(Checkpoint checkpoint, OnnxOptions options, TensorKey key, float[] input, int tokens)
            throws Exception {
        GraphBuilder graph = new GraphBuilder();
        LinearGraph linear =
                new LinearGraph(graph, new GraphWeights(checkpoint, graph, options, new ExportReport.Builder()));
        int width = checkpoint.config().hiddenSize();
        graph.input("x", DataType.FLOAT, "tokens", width);
        String product = linear.apply("/test", new LinearGraph.Input("/test", "x"), key);
        graph.output(product, "y", DataType.FLOAT, "tokens", checkpoint.config().rows(key));
        Path file = folder.resolve("projection.onnx");
        ModelProto model = ModelProto.newBuilder()
                .setIrVersion(8)
                .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(18))
                .build();
        new ModelFile(file, model, graph.graph(), graph.initializers(), 1 << 20).write(Progress.SILENT);
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OrtSession session = environment.createSession(file.toString());
                OnnxTensor x =
                        OnnxTensor.createTensor(environment, FloatBuffer.wrap(input), new long[] {tokens, width});
                OrtSession.Result result = session.run(Map.of("x", x))) {
            FloatBuffer buffer = ((OnnxTensor) result.get(0)).getFloatBuffer();
            float[] output = new float[buffer.remaining()];
            buffer.get(output);
            return output;
        }
    }

    private static float[] project(
            Checkpoint checkpoint,
            TensorKey key,
            float[] input,
            int tokens,
            InputQuantization rounding,
            float[] magnitudes) {
        float step = rounding.scale();
        int zero = rounding.zeroPoint();
        Tensor weight = checkpoint.tensor(key);
        float[] codes = weight.toFloats();
        float[] scales = checkpoint.tensor(key.part(Part.SCALE)).toFloats();
        float[] bias = checkpoint.tensor(key.part(Part.BIAS)).toFloats();
        float[] output = new float[tokens * weight.rows()];
        for (int token = 0; token < tokens; token++) {
            for (int row = 0; row < weight.rows(); row++) {
                int sum = 0;
                for (int i = 0; i < weight.columns(); i++) {
                    int code = Math.clamp((int) Math.rint(input[token * weight.columns() + i] / step) + zero, 0, 255);
                    sum += (code - zero) * (int) codes[row * weight.columns() + i];
                }
                output[token * weight.rows() + row] = sum * (step * scales[row]) * magnitudes[token] + bias[row];
            }
        }
        return output;
    }

    /** Whole models: near the float model (INT8 changes a little), and the same weights when read back. */
    @ParameterizedTest
    @CsvSource({
        "llama, false",
        "llama, true",
        "llama_tied, true",
        "llama_bias_headdim, false",
        "mistral_sliding, true",
        "mixtral, true",
        "qwen2_moe, false",
        "gemma2, true",
        "phi3, true",
        "gpt2, true",
        "gpt_neox_parallel, false",
        "gptj, true",
        "bloom, true"
    })
    void wholeModels(String name, boolean all) throws Exception {
        Path source = SharedData.require("golden/" + name);
        Path packed = folder.resolve("int8");
        Int8Checkpoints.write(source, packed, all);
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            ExportReport report = OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
            long rounded = checkpoint.config().tensors().stream()
                    .filter(key -> key.part() == Part.WEIGHT
                            && (all ? key.role().quantized() : key.role().projection()))
                    .count();
            assertThat(report.tensorsByFormat()).containsEntry("i8", (int) rounded);
            assertThat(report.changes()).isEmpty();
            try (OrtDecoder decoder = new OrtDecoder(file, checkpoint.config())) {
                for (Sequence sequence : Golden.read(source).sequences()) {
                    float[] logits = decoder.run(sequence.inputIds()).logits();
                    double divergence = divergence(sequence.logits(), logits, sequence.vocabularySize());
                    System.out.printf("%s INT8 (all %s): KL from float32 %.5f%n", name, all, divergence);
                    assertThat(divergence).isBetween(1e-9, 0.02);
                }
            }
            try (OnnxCheckpoint written = OnnxCheckpoint.open(file)) {
                for (TensorKey key : checkpoint.config().tensors()) {
                    assertSame(written.tensor(key), checkpoint.tensor(key));
                    if (checkpoint.has(key.part(Part.SCALE))) {
                        assertSame(written.tensor(key.part(Part.SCALE)), checkpoint.tensor(key.part(Part.SCALE)));
                    }
                }
            }
        }
    }

    private static void assertSame(Tensor actual, Tensor expected) {
        assertThat(actual.format()).as(actual.toString()).isEqualTo(expected.format());
        assertThat(actual.shape()).as(actual.toString()).isEqualTo(expected.shape());
        assertThat(actual.data().mismatch(expected.data()))
                .as(actual.toString())
                .isEqualTo(-1);
    }

    /** Mean KL divergence over the rows. */
    private static double divergence(float[] reference, float[] other, int vocabulary) {
        double sum = 0;
        int rows = reference.length / vocabulary;
        for (int row = 0; row < rows; row++) {
            double referenceNormaliser = logSumExp(reference, row * vocabulary, vocabulary);
            double otherNormaliser = logSumExp(other, row * vocabulary, vocabulary);
            for (int i = row * vocabulary; i < (row + 1) * vocabulary; i++) {
                double logarithm = reference[i] - referenceNormaliser;
                sum += Math.exp(logarithm) * (logarithm - (other[i] - otherNormaliser));
            }
        }
        return sum / rows;
    }

    private static double logSumExp(float[] values, int from, int count) {
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = from; i < from + count; i++) {
            largest = Math.max(largest, values[i]);
        }
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += Math.exp(values[i] - largest);
        }
        return largest + Math.log(sum);
    }
}
