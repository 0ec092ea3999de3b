package dev.demitasse.quantize;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a quantization has done, as {@code journal.json} beside it says.
 *
 * @param job {@link JobFingerprint}
 * @param layers how many are finished
 * @param tensors a checksum of each tensor that was written
 * @param reports of the tensors in the order they were written
 * @param states a checksum of each file of hidden states that enter the next layer
 */
record Journal(String job, int layers, Map<String, Long> tensors, List<TensorReport> reports, List<Long> states) {
    static final String FILE = "journal.json";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long LARGEST = 1L << 28;

    void write(Path folder) throws IOException {
        ObjectNode json = JSON.createObjectNode().put("job", job).put("layers", layers);
        ObjectNode checksums = json.putObject("tensors");
        tensors.forEach(checksums::put);
        ArrayNode written = json.putArray("reports");
        for (TensorReport report : reports) {
            ObjectNode entry = written.addObject()
                    .put("name", report.name())
                    .put("layer", report.layer())
                    .put("format", report.format())
                    .put("weight_error", report.weightError())
                    .put("seconds", report.seconds());
            report.outputError().ifPresent(error -> entry.put("output_error", error));
            report.silent().ifPresent(share -> entry.put("silent", share));
        }
        ArrayNode files = json.putArray("states");
        states.forEach(files::add);
        AtomicFile.write(folder.resolve(FILE), JSON.writeValueAsBytes(json));
    }

    /** The journal in {@code folder}, if there is one that can be read. */
    static Optional<Journal> read(Path folder) throws IOException {
        Path path = folder.resolve(FILE);
        if (!Files.exists(path)) {
            return Optional.empty();
        }
        JsonNode json;
        try {
            json = JsonFile.read(path, LARGEST, "journal", Duplicates.LAST_COUNTS);
        } catch (MalformedModelException e) {
            return Optional.empty();
        }
        Map<String, Long> tensors = new LinkedHashMap<>();
        json.path("tensors")
                .properties()
                .forEach(
                        tensor -> tensors.put(tensor.getKey(), tensor.getValue().asLong()));
        List<TensorReport> reports = new ArrayList<>();
        for (JsonNode report : json.path("reports")) {
            reports.add(new TensorReport(
                    report.path("name").asText(),
                    report.path("layer").asInt(),
                    report.path("format").asText(),
                    report.path("weight_error").asDouble(),
                    Optional.ofNullable(report.get("output_error")).map(JsonNode::asDouble),
                    Optional.ofNullable(report.get("silent")).map(JsonNode::asDouble),
                    report.path("seconds").asDouble()));
        }
        List<Long> states = new ArrayList<>();
        json.path("states").forEach(checksum -> states.add(checksum.asLong()));
        return Optional.of(
                new Journal(json.path("job").asText(), json.path("layers").asInt(), tensors, reports, states));
    }
}
