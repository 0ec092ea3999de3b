package dev.demitasse.recipes.command;

import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.MalformedModelException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileSystemException;
import org.jspecify.annotations.Nullable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command line: {@code ./demitasse run|plan|eval|generate|bench|verify|inspect}. */
@Command(
        name = "demitasse",
        mixinStandardHelpOptions = true,
        version = "demitasse 0.1.0",
        header = "Makes a language model small and fast, and shows what it cost.",
        synopsisSubcommandLabel = "COMMAND",
        description = {
            "",
            "A MODEL is a checkpoint folder in Hugging Face layout, a .gguf file, an .onnx file that Demitasse wrote,"
                    + " hf:ORG/NAME from the Hugging Face hub, or builtin:NAME.",
            ""
        },
        footerHeading = "%nTo begin:%n",
        footer = {
            "  ./demitasse run recipes/quickstart.yaml       prune, distil, quantize, export and judge a small model",
            "  ./demitasse plan recipes/compress.yaml --set model=hf:ORG/NAME   what a run on your model would do",
            "  ./demitasse generate DIR --prompt \"Once\"      let a model write",
            "",
            "Exit codes: 0 done, 1 a gate or check failed, 2 a mistake in what was asked, 3 a broken file."
        },
        subcommands = {
            RunCommand.class,
            PlanCommand.class,
            EvalCommand.class,
            SensitivityCommand.class,
            GenerateCommand.class,
            VerifyCommand.class,
            InspectCommand.class,
            ConvertCommand.class,
            ImatrixCommand.class,
            BenchCommand.class,
            CommandLine.HelpCommand.class,
            AutoComplete.GenerateCompletion.class
        })
public final class Demitasse implements Runnable {
    /** A gate or a check failed. */
    static final int CHECK_FAILED = 1;

    /** The user's mistake. */
    static final int MISTAKE = 2;

    /** A broken file. */
    static final int BROKEN_FILE = 3;

    /** An error of Demitasse's own. */
    static final int OWN_ERROR = 70;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "On an error, show where in Demitasse it arose.")
    private boolean stackTrace;

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    /** The command line, ready to execute. */
    static CommandLine commandLine() {
        return new CommandLine(new Demitasse())
                .setExecutionExceptionHandler(Demitasse::report)
                .setCaseInsensitiveEnumValuesAllowed(true);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "name a command");
    }

    private static int report(Exception error, CommandLine line, CommandLine.ParseResult parsed) {
        PrintWriter err = line.getErr();
        CommandLine root = line;
        while (root.getParent() != null) {
            root = root.getParent();
        }
        if (root.getCommand() instanceof Demitasse demitasse && demitasse.stackTrace) {
            error.printStackTrace(err);
        }
        return switch (error) {
            case MalformedModelException broken -> say(err, broken.getMessage(), BROKEN_FILE);
            case DemitasseException mistake -> say(err, mistake.getMessage(), MISTAKE);
            case IOException io -> say(err, describe(io), MISTAKE);
            default ->
                say(
                        err,
                        "internal error: " + error + "; run it again with --stacktrace and report what it prints",
                        OWN_ERROR);
        };
    }

    private static int say(PrintWriter err, @Nullable String message, int code) {
        // A recipe's mistakes come a line each, and each tells its own place.
        err.println(message != null && message.contains("\n") ? message : "demitasse: " + message);
        err.flush();
        return code;
    }

    private static String describe(IOException error) {
        String message = error.getMessage() == null ? error.toString() : error.getMessage();
        if (message.contains("No space left")) {
            return message + "; the disk is full: free some space, then run the same command again";
        }
        return error instanceof FileSystemException file && file.getReason() == null
                ? file.getFile() + ": " + error.getClass().getSimpleName() + "; check that it exists and can be used"
                : message;
    }
}
