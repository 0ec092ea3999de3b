package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.onnx.OnnxNames;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes a checkpoint as an ONNX decoder graph of standard operators, with a cache of keys and values as inputs and
 * outputs ({@link OnnxNames}). INT8 weights are multiplied in integers, weights of block formats that MatMulNBits takes
 * ({@link dev.demitasse.model.onnx.OnnxBlocks}) as they are; all others are float32.
 */
public final class OnnxExport {
    /** ReduceMean takes its axes as an input from here on; every runtime of the last years knows it. */
    private static final int OPERATOR_SET = 18;

    private static final int IR_VERSION = 8;
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private OnnxExport() {}

    /**
     * Writes {@code file}, a data file beside it if the weights need one, and the model's config.json and tokenizer.json
     * beside both.
     *
     * @throws InvalidRequestException if the model is no decoder, or a weight is of a format that no operator takes
     */
    public static ExportReport write(Checkpoint source, OnnxOptions options, Path file, Progress progress)
            throws IOException {
        requireDecoder(source);
        Outliers.refuse(source, "ONNX");
        Path place = file.toAbsolutePath();
        ExportReport.Builder report = new ExportReport.Builder();
        GraphBuilder graph = new GraphBuilder();
        GraphWeights tensors = new GraphWeights(source, graph, options, report);
        new DecoderGraph(graph, tensors, options.hiddenStates()).build();
        ObjectNode json = source.config().family().write(source.config());
        json.put("torch_dtype", "float32");
        String config = JSON.writeValueAsString(json) + "\n";
        ModelFile model = new ModelFile(
                place,
                model(config, graph, tensors.blocks()),
                graph.graph(),
                graph.initializers(),
                options.inlineLimit());
        List<Path> weights = model.write(progress);
        List<Path> files = new ArrayList<>(weights);
        files.add(place.resolveSibling("config.json"));
        AtomicFile.write(files.getLast(), config);
        if (source.tokenizer().isPresent()) {
            files.add(place.resolveSibling("tokenizer.json"));
            AtomicFile.write(files.getLast(), source.tokenizer().get().json());
        } else {
            report.note("the model has no tokenizer");
        }
        long bytes = 0;
        for (Path weight : weights) {
            bytes += Files.size(weight);
        }
        return report.build(files, bytes);
    }

    private static void requireDecoder(Checkpoint source) {
        ModelConfig config = source.config();
        if (!config.causal()
                || config.embedding().tokenTypes() > 0
                || config.head().transform().isPresent()) {
            throw new InvalidRequestException(
                    source.path(),
                    "is an encoder (%s), but ONNX files hold decoders with a cache"
                            .formatted(config.family().id()),
                    "keep the checkpoint as it is");
        }
    }

    private static ModelProto model(String config, GraphBuilder graph, Map<String, BlockFormat> blocks) {
        ModelProto.Builder model = ModelProto.newBuilder()
                .setIrVersion(IR_VERSION)
                .setProducerName(OnnxNames.PRODUCER)
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(OPERATOR_SET))
                .addMetadataProps(ModelFile.entry(OnnxNames.CONFIG, config))
                .addMetadataProps(ModelFile.entry(OnnxNames.LAYOUT, OnnxNames.LAYOUT_VERSION));
        if (graph.contributed()) {
            model.addOpsetImport(OperatorSetIdProto.newBuilder()
                    .setDomain(GraphBuilder.CONTRIBUTED)
                    .setVersion(1));
        }
        if (!blocks.isEmpty()) {
            StringBuilder lines = new StringBuilder();
            blocks.forEach((name, format) ->
                    lines.append(name).append(' ').append(format.id()).append('\n'));
            model.addMetadataProps(ModelFile.entry(OnnxNames.BLOCKS, lines.toString()));
        }
        return model.build();
    }
}
