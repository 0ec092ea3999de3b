package dev.demitasse.distill;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.distill.TrainingReport.LossParts;
import dev.demitasse.distill.TrainingReport.StepPoint;
import dev.demitasse.distill.TrainingReport.ValidationPoint;
import dev.demitasse.model.files.AtomicFile;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** The loss over time, in memory and as one JSON object a line in {@code curve.jsonl}. */
final class LossCurve implements AutoCloseable {
    static final String FILE = "curve.jsonl";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<StepPoint> steps = new ArrayList<>();
    private final List<ValidationPoint> validation = new ArrayList<>();
    private final BufferedWriter writer;

    private LossCurve(BufferedWriter writer) {
        this.writer = writer;
    }

    /** Goes on with the curve in {@code folder} after {@code done} steps; what it says of later steps is dropped. */
    static LossCurve open(Path folder, int done) throws IOException {
        Path path = folder.resolve(FILE);
        List<JsonNode> kept = new ArrayList<>();
        if (done > 0 && Files.exists(path)) {
            for (String line : Files.readAllLines(path)) {
                JsonNode point;
                try {
                    point = JSON.readTree(line);
                } catch (JsonProcessingException e) {
                    break; // cut short when the process died
                }
                if (point.path("step").asInt(Integer.MAX_VALUE) <= done) {
                    kept.add(point);
                }
            }
        }
        StringBuilder text = new StringBuilder();
        kept.forEach(point -> text.append(point).append('\n'));
        AtomicFile.write(path, text.toString());
        LossCurve curve = new LossCurve(Files.newBufferedWriter(path, StandardOpenOption.APPEND));
        kept.forEach(curve::read);
        return curve;
    }

    private void read(JsonNode point) {
        int step = point.path("step").asInt();
        if (point.has("validation_loss")) {
            validation.add(
                    new ValidationPoint(step, point.path("validation_loss").asDouble()));
            return;
        }
        LossParts loss = new LossParts(
                point.path("loss").asDouble(),
                point.path("kl").asDouble(),
                point.path("ce").asDouble(),
                point.path("hidden").asDouble());
        steps.add(new StepPoint(
                step,
                point.path("tokens").asLong(),
                point.path("learning_rate").asDouble(),
                loss,
                point.path("gradient_norm").asDouble()));
    }

    void add(StepPoint point) throws IOException {
        steps.add(point);
        append(JSON.createObjectNode()
                .put("step", point.step())
                .put("tokens", point.tokens())
                .put("learning_rate", point.learningRate())
                .put("loss", point.loss().total())
                .put("kl", point.loss().kl())
                .put("ce", point.loss().crossEntropy())
                .put("hidden", point.loss().hidden())
                .put("gradient_norm", point.gradientNorm()));
    }

    void add(ValidationPoint point) throws IOException {
        validation.add(point);
        append(JSON.createObjectNode().put("step", point.step()).put("validation_loss", point.loss()));
    }

    private void append(ObjectNode line) throws IOException {
        writer.write(line.toString());
        writer.newLine();
        writer.flush();
    }

    List<StepPoint> steps() {
        return steps;
    }

    List<ValidationPoint> validation() {
        return validation;
    }

    @Override
    public void close() throws IOException {
        writer.close();
    }
}
