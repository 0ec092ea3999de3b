package dev.demitasse.recipes.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.Sensitivity;
import dev.demitasse.quantize.SensitivityOptions;
import dev.demitasse.quantize.SensitivityOptions.Grouping;
import dev.demitasse.quantize.SensitivityOptions.Measure;
import dev.demitasse.quantize.SensitivityReport;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Tells which parts of a model bear rounding to few bits. */
@Command(
        name = "sensitivity",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Rounds a model's weights to nearest, a part at a time, and tells what that costs: the mean KL divergence of its"
                    + " predictions from the unrounded model's, in nats per token.",
            "Each part is run for each format, from its layer on. Of a large model rather ask for --measure output, which"
                    + " takes a single run."
        })
final class SensitivityCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Mixin
    private TextArguments text = new TextArguments();

    @Option(
            names = "--samples",
            defaultValue = "16",
            description = "How many windows, drawn by --seed. Default: ${DEFAULT-VALUE}.")
    private int samples;

    @Option(
            names = "--formats",
            paramLabel = "FORMAT",
            split = ",",
            defaultValue = "q2_k,q3_k,q4_k,q6_k",
            description = "What to round to, such as q4_0, q4_k, int4_g128, nf4, int8. Default: ${DEFAULT-VALUE}.")
    private List<String> formats = List.of();

    @Option(
            names = "--by",
            paramLabel = "PART",
            defaultValue = "role_and_layer",
            description = "What is rounded together: tensor; role_and_layer, which takes a layer's experts together;"
                    + " layer; role. Default: ${DEFAULT-VALUE}.")
    private Grouping grouping = Grouping.ROLE_AND_LAYER;

    @Option(
            names = "--measure",
            paramLabel = "WHAT",
            defaultValue = "kl",
            description =
                    "kl: of the model's predictions. output: of what the rounded matrices put out, |X(W-Q)|²/|XW|²."
                            + " Default: ${DEFAULT-VALUE}.")
    private Measure measure = Measure.KL;

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        SensitivityOptions options = new SensitivityOptions(formats(), grouping, measure);
        ProgressDisplay progress = ProgressDisplay.onStandardError();
        SensitivityReport report;
        TokenWindows windows;
        try (Checkpoint checkpoint = Checkpoint.open(model.path())) {
            windows = text.windows(checkpoint.requireTokenizer(), Optional.of(samples), progress);
            report = Sensitivity.measure(checkpoint, options, windows, progress);
        } finally {
            progress.end();
        }
        PrintWriter out = spec.commandLine().getOut();
        SensitivityText table = new SensitivityText(report, options);
        if (json) {
            out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(table.tree(windows)));
        } else {
            table.lines().forEach(out::println);
        }
        out.flush();
        return 0;
    }

    private List<TensorFormat> formats() {
        List<TensorFormat> all = new ArrayList<>();
        for (String name : formats) {
            @Nullable TensorFormat found = null;
            for (TensorFormat format : TensorFormat.all()) {
                boolean named = format.weightName().equals(name.strip().toLowerCase(Locale.ROOT));
                if (named && !SensitivityOptions.holdsNoWeights(format) && format != ScalarFormat.F64) {
                    found = format;
                }
            }
            if (found == null) {
                throw new InvalidRequestException(
                        "--formats", "'%s' is not a format of weights".formatted(name), "name some as q4_0,q4_k,q6_k");
            }
            all.add(found);
        }
        return all;
    }
}
