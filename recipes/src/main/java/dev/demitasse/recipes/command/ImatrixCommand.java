package dev.demitasse.recipes.command;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.gguf.ImportanceMatrix;
import dev.demitasse.quantize.ImportanceCollection;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Collects an importance matrix. */
@Command(
        name = "imatrix",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Collects an importance matrix, as llama-imatrix does: how strongly each input of each projection responds to"
                    + " a text.",
            "llama-quantize takes it (--imatrix), and a recipe's `quantize: {method: importance, imatrix: FILE}`."
        })
final class ImatrixCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Mixin
    private TextArguments text = new TextArguments();

    @Option(names = "--samples", description = "How many windows, drawn by --seed; without it all.")
    private @Nullable Integer samples;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "imatrix.gguf",
            description = "What to write. Default: ${DEFAULT-VALUE}.")
    private Path output = Path.of("");

    @Override
    public Integer call() throws Exception {
        ProgressDisplay progress = ProgressDisplay.onStandardError();
        PrintWriter out = spec.commandLine().getOut();
        try (Checkpoint checkpoint = Checkpoint.open(model.path())) {
            TokenWindows windows = text.windows(checkpoint.requireTokenizer(), Optional.ofNullable(samples), progress);
            ImportanceMatrix matrix = ImportanceCollection.collect(checkpoint, windows, text.name(), progress);
            matrix.write(output);
            out.println(output.toAbsolutePath());
            out.printf(
                    "%,d tensors, %,d windows of %,d tokens%n",
                    matrix.tensors().size(), windows.count(), windows.length());
        } finally {
            progress.end();
        }
        out.flush();
        return 0;
    }
}
