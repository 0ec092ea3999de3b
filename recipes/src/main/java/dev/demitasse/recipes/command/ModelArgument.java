package dev.demitasse.recipes.command;

import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** The model that a command is about. */
final class ModelArgument {
    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            description = {
                "A checkpoint folder, a .gguf, an .onnx that Demitasse wrote, hf:ORG/NAME[@REVISION] or builtin:NAME.",
                "hf: models are fetched into Hugging Face's cache (HF_HUB_CACHE); HF_TOKEN opens gated ones."
            })
    private String model = "";

    @Mixin
    private ModelSource source = new ModelSource();

    Path path() throws IOException {
        return source.location().of(model);
    }

    /** Where another model of the same command lies. */
    Path path(String other) throws IOException {
        return source.location().of(other);
    }
}
