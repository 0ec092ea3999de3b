package dev.demitasse.recipes.command;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.generate.DraftModel;
import dev.demitasse.infer.generate.Drafter;
import dev.demitasse.infer.generate.Generator;
import dev.demitasse.infer.generate.PromptLookup;
import dev.demitasse.infer.generate.SamplingOptions;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.chat.Message;
import dev.demitasse.recipes.run.Writing;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lets a model write. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Lets a model continue a prompt; without one it begins by itself.",
            "Greedy unless --temperature is above 0: the same words every time."
        })
final class GenerateCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Option(names = "--prompt", paramLabel = "TEXT", description = "What the text begins with.")
    private String prompt = "";

    @Option(
            names = "--chat",
            description = "Answer the prompt as a message, by the model's chat template; prints the answer alone.")
    private boolean chat;

    @Option(names = "--system", paramLabel = "TEXT", description = "With --chat: the system message before the prompt.")
    private String system = "";

    @Option(
            names = {"-n", "--tokens"},
            paramLabel = "N",
            defaultValue = "200",
            description = "Most tokens to write; fewer where the model ends its text. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0 takes the likeliest token; 1 draws by the model's own probabilities. Default: 0.")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Draw among the K likeliest tokens only; 0 for all.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Draw among the likeliest tokens that together have this probability. Default: 1.")
    private double topP;

    @Option(names = "--seed", defaultValue = "0", description = "The same seed draws the same text. Default: 0.")
    private long seed;

    @Option(
            names = "--draft",
            paramLabel = "MODEL",
            description =
                    "A smaller model with the same tokens, which proposes what this one then checks several tokens at a"
                            + " time, as long as that is faster: the text is the same, or with --temperature drawn with the"
                            + " same probabilities.")
    private Optional<String> draft = Optional.empty();

    @Option(
            names = "--prompt-lookup",
            description =
                    "Propose what followed the last words where they stood before, to be checked as with --draft: for"
                            + " texts that repeat their prompt.")
    private boolean promptLookup;

    @Mixin
    private RuntimeArguments runtime = new RuntimeArguments();

    private String conversation(Checkpoint checkpoint) {
        List<Message> messages = new ArrayList<>();
        if (!system.isEmpty()) {
            messages.add(new Message("system", system));
        }
        messages.add(new Message("user", prompt));
        return checkpoint
                .chatTemplate()
                .orElseThrow(() -> new InvalidRequestException(
                        checkpoint.path(), "has no chat template", "leave --chat out, or take a model made for chat"))
                .render(messages, true);
    }

    @Override
    public Integer call() throws Exception {
        if (!chat && !system.isEmpty()) {
            throw new InvalidRequestException("--system", "goes with --chat", "add --chat, or leave --system out");
        }
        if (draft.isPresent() && promptLookup) {
            throw new InvalidRequestException("--draft", "stands beside --prompt-lookup", "choose one of them");
        }
        PrintWriter out = spec.commandLine().getOut();
        try (Checkpoint checkpoint = Checkpoint.open(model.path());
                CpuModel running = CpuModel.of(checkpoint, runtime.options(Kernels.AUTO))) {
            Consumer<String> print = text -> {
                out.print(text);
                out.flush();
            };
            SamplingOptions sampling = new SamplingOptions(temperature, topK, topP, seed);
            if (draft.isPresent()) {
                Path path = model.path(draft.get());
                try (CpuModel small = CpuModel.open(path, runtime.options(Kernels.AUTO));
                        Drafter drafter = new DraftModel(small, running, sampling)) {
                    write(new Generator(running, sampling, Optional.of(drafter)), checkpoint, print);
                }
            } else {
                Optional<Drafter> drafter = promptLookup ? Optional.of(new PromptLookup()) : Optional.empty();
                write(new Generator(running, sampling, drafter), checkpoint, print);
            }
            // On a screen the prompt that follows wants a line of its own; a file gets the text alone.
            if (System.console() != null && System.console().isTerminal()) {
                out.println();
            }
            out.flush();
        }
        return 0;
    }

    private void write(Generator writer, Checkpoint checkpoint, Consumer<String> print) {
        if (chat) {
            Writing.answer(writer, checkpoint.requireTokenizer(), conversation(checkpoint), tokens, print);
        } else {
            Writing.stream(writer, checkpoint.requireTokenizer(), prompt, tokens, print);
        }
    }
}
