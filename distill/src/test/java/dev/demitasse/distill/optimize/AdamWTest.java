package dev.demitasse.distill.optimize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class AdamWTest {
    static Stream<Arguments> cases() {
        return Stream.of("a", "b", "c")
                .flatMap(name -> Stream.of(DataType.FLOAT64, DataType.FLOAT32).map(type -> Arguments.of(name, type)));
    }

    /**
     * Parameters, moments, learning rate, loss and norm after each step equal torch 1.13's (golden/adamw.*): schedule, clip
     * and optimizer together. In float32 they keep to its rounding.
     */
    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTorchStepByStep(String name, DataType type) throws IOException {
        JsonNode expected = new ObjectMapper()
                .readTree(SharedData.require("golden/adamw.json").toFile())
                .path(name);
        double tolerance = type == DataType.FLOAT64 ? 1e-12 : 2e-5;
        try (SafetensorsFile file = SafetensorsFile.open(SharedData.require("golden/adamw.safetensors"));
                NDManager manager = PyTorch.newManager()) {
            NDArray w = array(manager, file, name + "/W0", type);
            NDArray b = array(manager, file, name + "/b0", type);
            NDArray curvature = array(manager, file, name + "/A", type);
            NDArray wGoal = array(manager, file, name + "/C", type);
            NDArray bGoal = array(manager, file, name + "/c", type);
            AdamW optimizer = new AdamW(new AdamW.Settings(
                    expected.path("betas").get(0).asDouble(),
                    expected.path("betas").get(1).asDouble(),
                    expected.path("eps").asDouble(),
                    expected.path("weight_decay_W").asDouble()));
            w.setRequiresGradient(true);
            b.setRequiresGradient(true);
            optimizer.add("W", w, true);
            optimizer.add("b", b, false);
            Schedule schedule = new Schedule(
                    expected.path("lr").asDouble(),
                    expected.path("warmup_steps").asInt(),
                    expected.path("total_steps").asInt(),
                    expected.path("schedule_offset").asInt());

            for (JsonNode step : expected.path("steps")) {
                int index = step.path("step").asInt();
                optimizer.clearGradients();
                try (GradientCollector collector = PyTorch.engine().newGradientCollector()) {
                    NDArray distance = w.sub(wGoal);
                    NDArray loss = distance.mul(curvature.matMul(distance))
                            .sum()
                            .add(b.sub(bGoal).square().sum())
                            .mul(0.5);
                    collector.backward(loss);
                    assertThat(number(loss)).isCloseTo(step.path("loss").asDouble(), within(40 * tolerance));
                }
                double norm = optimizer.gradientNorm();
                assertThat(norm).isCloseTo(step.path("grad_norm_before_clip").asDouble(), within(40 * tolerance));
                double rate = schedule.at(index);
                assertThat(rate).isCloseTo(step.path("lr").asDouble(), within(1e-15));

                double clip = expected.path("clip").asDouble();
                optimizer.step(rate, AdamW.clipCoefficient(norm, clip));

                AdamW.Slot slot = optimizer.slots().get("W");
                assertClose(w, slice(file, name + "/W", index), tolerance);
                assertClose(b, slice(file, name + "/b", index), tolerance);
                assertClose(slot.firstMoment(), slice(file, name + "/exp_avg_W", index), tolerance);
                assertClose(slot.secondMoment(), slice(file, name + "/exp_avg_sq_W", index), tolerance);
            }
        }
    }

    private static NDArray array(NDManager manager, SafetensorsFile file, String name, DataType type) {
        Tensor tensor = file.tensor(name);
        return manager.create(tensor.toFloats(), new Shape(tensor.shape())).toType(type, true);
    }

    private static double number(NDArray scalar) {
        return scalar.toType(DataType.FLOAT64, false).getDouble();
    }

    private static double[] slice(SafetensorsFile file, String name, int index) {
        Tensor tensor = file.tensor(name);
        assertThat(tensor.format()).isEqualTo(ScalarFormat.F64);
        int size = Math.toIntExact(tensor.elements() / tensor.shape()[0]);
        double[] all = tensor.data().toArray(ValueLayout.JAVA_DOUBLE_UNALIGNED);
        return Arrays.copyOfRange(all, index * size, (index + 1) * size);
    }

    private static void assertClose(NDArray ours, double[] theirs, double tolerance) {
        assertThat(ours.toType(DataType.FLOAT64, false).toDoubleArray()).containsExactly(theirs, within(tolerance));
    }
}
