package dev.demitasse.distill.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Every loss and its gradient equal torch's, computed in float64 from the same float32 inputs (golden/losses.*). */
class LossTest {
    private static final double TEMPERATURE = 2;

    private JsonNode expected;
    private SafetensorsFile file;
    private NDManager manager;
    private NDArray student;
    private NDArray teacher;

    @BeforeEach
    void open() throws IOException {
        expected = new ObjectMapper()
                .readTree(SharedData.require("golden/losses.json").toFile())
                .path("losses");
        file = SafetensorsFile.open(SharedData.require("golden/losses.safetensors"));
        manager = PyTorch.newManager();
        student = trained("student_logits");
        teacher = array("teacher_logits");
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
            file.close();
        }
    }

    @Test
    void forwardKl() {
        check("forward_kl", () -> SoftTargets.of(teacher, TEMPERATURE).divergence(student), List.of(student));
    }

    @Test
    void forwardKlAtTemperatureOne() {
        check("forward_kl_t1", () -> SoftTargets.of(teacher, 1).divergence(student), List.of(student));
    }

    @Test
    void forwardKlOfSomeTokens() {
        NDArray mask = array("mask").reshape(-1, 1);
        check(
                "forward_kl_masked",
                () -> SoftTargets.of(teacher, TEMPERATURE, mask).divergence(student),
                List.of(student));
    }

    @Test
    void crossEntropy() {
        CrossEntropy labels = CrossEntropy.of(manager, longs("labels"));
        check("cross_entropy", () -> labels.of(student), List.of(student));
    }

    /** Labels moved by one, the last without one: the same as cutting the last logits and the first label off. */
    @Test
    void crossEntropyOfTheNextToken() {
        long[] labels = longs("labels");
        int length = Math.toIntExact(student.getShape().get(1));
        long[] next = new long[labels.length];
        for (int i = 0; i < next.length; i++) {
            next[i] = (i + 1) % length == 0 ? CrossEntropy.NO_LABEL : labels[i + 1];
        }
        CrossEntropy shifted = CrossEntropy.of(manager, next);
        check("cross_entropy_shifted", () -> shifted.of(student), List.of(student));
    }

    @Test
    void nextTokensOfEachRow() {
        assertThat(CrossEntropy.nextTokens(new int[][] {{5, 6, 7}, {8, 9, 4}}))
                .containsExactly(6, 7, CrossEntropy.NO_LABEL, 9, 4, CrossEntropy.NO_LABEL);
    }

    @Test
    void hintonsMixture() {
        CrossEntropy labels = CrossEntropy.of(manager, longs("labels"));
        check(
                "kd_hinton",
                () -> SoftTargets.of(teacher, TEMPERATURE)
                        .divergence(student)
                        .mul(0.7f)
                        .add(labels.of(student).mul(0.3f)),
                List.of(student));
    }

    @Test
    void hiddenError() {
        NDArray hidden = trained("student_hidden");
        check("hidden_mse", () -> HiddenError.of(hidden, array("teacher_hidden")), List.of(hidden));
    }

    @Test
    void hiddenErrorAcrossWidths() {
        NDArray hidden = trained("student_hidden_narrow");
        NDArray projection = trained("projection");
        NDArray bias = trained("projection_bias");
        check(
                "hidden_mse_projected",
                () -> HiddenError.of(hidden, array("teacher_hidden"), projection, bias),
                List.of(hidden, projection, bias));
    }

    private void check(String name, Supplier<NDArray> loss, List<NDArray> trained) {
        try (GradientCollector collector = PyTorch.engine().newGradientCollector()) {
            NDArray value = loss.get();
            collector.backward(value);
            double truth = expected.path(name).path("value").asDouble();
            assertThat((double) value.getFloat()).isCloseTo(truth, within(1e-6 * Math.max(1, truth)));
        }
        assertThat(expected.path(name).path("gradients")).hasSameSizeAs(trained);
        for (int i = 0; i < trained.size(); i++) {
            String gradient = expected.path(name).path("gradients").get(i).asText();
            assertThat(trained.get(i).getGradient().toFloatArray())
                    .as(gradient)
                    .containsExactly(file.tensor(gradient).toFloats(), within(1e-6f));
        }
    }

    private NDArray array(String name) {
        Tensor tensor = file.tensor(name);
        return manager.create(tensor.toFloats(), new Shape(tensor.shape()));
    }

    private NDArray trained(String name) {
        NDArray array = array(name);
        array.setRequiresGradient(true);
        return array;
    }

    private long[] longs(String name) {
        return file.tensor(name).data().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    }
}
