package dev.demitasse.recipes.command;

import dev.demitasse.recipes.run.ModelLocation;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Parameters;

/** The model that a command is about. */
final class ModelArgument {
    @Parameters(
            paramLabel = "MODEL",
            description = "A checkpoint folder, a .gguf, an .onnx that Demitasse wrote, or builtin:NAME.")
    private String model = "";

    Path path() throws IOException {
        return ModelLocation.of(model);
    }
}
