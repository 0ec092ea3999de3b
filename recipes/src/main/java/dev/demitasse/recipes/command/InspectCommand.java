package dev.demitasse.recipes.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what a model is. */
@Command(
        name = "inspect",
        mixinStandardHelpOptions = true,
        description = "Says what a model is: family, sizes, formats, tokenizer; with --tensors every tensor.")
final class InspectCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Option(names = "--tensors", description = "List every tensor: name, format, shape, bytes.")
    private boolean tensors;

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        try (Checkpoint checkpoint = Checkpoint.open(model.path())) {
            if (json) {
                out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(asJson(checkpoint)));
            } else {
                print(checkpoint, out);
            }
        }
        out.flush();
        return 0;
    }

    private void print(Checkpoint checkpoint, PrintWriter out) throws IOException {
        ModelConfig config = checkpoint.config();
        line(out, "model", checkpoint.path());
        line(out, "family", config.family().id());
        line(out, "parameters", "%,d".formatted(config.parameters()));
        line(
                out,
                "bytes",
                "%,d (%.2f bits per parameter)"
                        .formatted(checkpoint.fileBytes(), 8.0 * checkpoint.fileBytes() / config.parameters()));
        checkpoint
                .parametersByFormat()
                .forEach((format, count) -> line(out, "  " + format, "%,d parameters".formatted(count)));
        line(out, "layers", config.layers());
        line(out, "hidden_size", config.hiddenSize());
        line(out, "intermediate_size", config.feedForward().intermediateSize());
        line(
                out,
                "heads",
                "%d, %d for keys and values, %d wide"
                        .formatted(
                                config.attention().heads(),
                                config.attention().keyValueHeads(),
                                config.attention().headDimension()));
        line(out, "positions", "%,d, %s".formatted(config.maximumPositions(), config.positions()));
        line(out, "head", config.tiedHead() ? "tied to the embedding" : "its own");
        line(
                out,
                "vocabulary",
                "%,d%s"
                        .formatted(
                                config.vocabularySize(),
                                checkpoint
                                        .tokenizer()
                                        .map(tokenizer -> ", tokenizer of %,d".formatted(tokenizer.vocabularySize()))
                                        .orElse(", no tokenizer")));
        if (tensors) {
            for (TensorKey key : config.tensors()) {
                Tensor tensor = checkpoint.tensor(key);
                out.printf(
                        "%-46s %-5s %-14s %,14d bytes%n",
                        tensor.name(),
                        tensor.format().id(),
                        Arrays.toString(tensor.shape()),
                        tensor.data().byteSize());
            }
        }
    }

    private static void line(PrintWriter out, String name, Object value) {
        out.printf("%-18s %s%n", name, value);
    }

    private ObjectNode asJson(Checkpoint checkpoint) throws IOException {
        ModelConfig config = checkpoint.config();
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("path", checkpoint.path().toString());
        root.put("parameters", config.parameters());
        root.put("bytes", checkpoint.fileBytes());
        root.set("config", config.family().write(config));
        checkpoint.parametersByFormat().forEach(root.putObject("parameters_by_format")::put);
        if (tensors) {
            var list = root.putArray("tensors");
            for (TensorKey key : config.tensors()) {
                Tensor tensor = checkpoint.tensor(key);
                ObjectNode entry = list.addObject();
                entry.put("name", tensor.name());
                entry.put("format", tensor.format().id());
                entry.put("bytes", tensor.data().byteSize());
                Arrays.stream(tensor.shape()).forEach(entry.putArray("shape")::add);
            }
        }
        return root;
    }
}
