package dev.demitasse.recipes.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.infer.bench.BandwidthProbe;
import dev.demitasse.infer.bench.Benchmark;
import dev.demitasse.infer.bench.WeightTraffic;
import dev.demitasse.infer.bench.Workload;
import dev.demitasse.infer.bench.Workload.Kind;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Times models. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Times models on random tokens: taking in a prompt (pp), writing (tg), scoring a text (ppl).",
            "Figures are medians over the repetitions, with the smallest and largest. Next to each repetition of tg the"
                    + " memory's bandwidth is measured, as writing reads nearly all weights for each token."
        })
final class BenchCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(
            paramLabel = "MODEL",
            arity = "1..*",
            description = "Checkpoint folders, .gguf or .onnx files, hf:ORG/NAME or builtin:NAME.")
    private List<String> models = new ArrayList<>();

    @Mixin
    private ModelSource source = new ModelSource();

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "N",
            split = ",",
            defaultValue = "512",
            description = "Lengths of prompts; 0 for none. Default: ${DEFAULT-VALUE}.")
    private List<Integer> prompts = new ArrayList<>();

    @Option(
            names = {"-n", "--generate"},
            paramLabel = "N",
            split = ",",
            defaultValue = "128",
            description = "How many tokens to write; 0 for none. Default: ${DEFAULT-VALUE}.")
    private List<Integer> generated = new ArrayList<>();

    @Option(
            names = {"-s", "--score"},
            paramLabel = "N",
            split = ",",
            defaultValue = "512",
            description = "Lengths of windows to score; 0 for none. Default: ${DEFAULT-VALUE}.")
    private List<Integer> scored = new ArrayList<>();

    @Option(
            names = {"-d", "--depth"},
            paramLabel = "N",
            split = ",",
            defaultValue = "0",
            description = "How many tokens the model has taken in before a prompt or before it writes. Default: 0.")
    private List<Integer> depths = new ArrayList<>();

    @Option(
            names = {"-t", "--threads"},
            paramLabel = "T",
            split = ",",
            description = "Threads that work at the model. Default: one for each core that the process may use.")
    private List<Integer> threads = new ArrayList<>();

    @Option(
            names = "--kernels",
            paramLabel = "KERNELS",
            split = ",",
            defaultValue = "auto",
            description = "What multiplies block-quantized weights: ${COMPLETION-CANDIDATES}. Default: auto.")
    private List<Kernels> kernels = new ArrayList<>();

    @Option(names = "--pin", description = "Keep each thread on a core of its own (Linux).")
    private boolean pinned;

    @Option(
            names = "--cache-type",
            paramLabel = "TYPE",
            defaultValue = "F32",
            description =
                    "What keys and values are kept in: f32, f16 (half the memory) or q8_0 (a quarter). Default: f32.")
    private CacheType cache = CacheType.F32;

    @Option(
            names = {"-r", "--repetitions"},
            defaultValue = "5",
            description = "Repetitions that count. Default: ${DEFAULT-VALUE}.")
    private int repetitions;

    @Option(
            names = {"-w", "--warm-up"},
            paramLabel = "SECONDS",
            defaultValue = "3",
            description = "How long each workload runs before, while the JVM compiles. Default: ${DEFAULT-VALUE}.")
    private double warmUp;

    @Option(names = "--json", description = "For machines: every repetition.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        List<Workload> workloads = workloads();
        BenchmarkTable table = new BenchmarkTable();
        ProgressDisplay progress = ProgressDisplay.onStandardError();
        try {
            for (String model : models) {
                Path path = source.location().of(model);
                for (CpuOptions options : options()) {
                    measure(path, options, workloads, table, progress);
                }
            }
        } finally {
            progress.end();
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(table.tree()));
        } else {
            table.lines().forEach(out::println);
        }
        out.flush();
        return 0;
    }

    private void measure(
            Path path, CpuOptions options, List<Workload> workloads, BenchmarkTable table, ProgressDisplay progress)
            throws IOException {
        progress.begin("timing " + path.getFileName(), workloads.size(), "workloads");
        long start = System.nanoTime();
        try (Checkpoint checkpoint = Checkpoint.open(path);
                CpuModel model = CpuModel.of(checkpoint, options);
                BandwidthProbe probe = new BandwidthProbe(options.threads())) {
            double loadSeconds = (System.nanoTime() - start) / 1e9;
            BenchmarkTable.Subject subject = new BenchmarkTable.Subject(
                    path,
                    checkpoint.fileBytes(),
                    checkpoint.config().parameters(),
                    WeightTraffic.bytesPerToken(checkpoint),
                    options,
                    loadSeconds);
            Benchmark benchmark = new Benchmark(model, probe, repetitions, warmUp);
            for (Workload workload : workloads) {
                table.add(subject, benchmark.run(workload));
                progress.advance(1);
            }
        }
    }

    private List<CpuOptions> options() {
        CpuOptions usual = CpuOptions.usual().withPinned(pinned).withCache(cache);
        List<Integer> counts = threads.isEmpty() ? List.of(usual.threads()) : threads;
        return kernels.stream()
                .flatMap(each ->
                        counts.stream().map(count -> usual.withKernels(each).withThreads(count)))
                .toList();
    }

    private List<Workload> workloads() {
        List<Workload> workloads = new ArrayList<>();
        for (int depth : depths) {
            add(Kind.PREFILL, prompts, depth, workloads);
            add(Kind.DECODE, generated, depth, workloads);
        }
        add(Kind.SCORE, scored, 0, workloads);
        if (workloads.isEmpty()) {
            throw new InvalidRequestException("bench", "has nothing to time", "give a length to -p, -n or -s");
        }
        return workloads;
    }

    private static void add(Kind kind, List<Integer> lengths, int depth, List<Workload> workloads) {
        for (int length : lengths) {
            if (length != 0) {
                workloads.add(new Workload(kind, length, depth));
            }
        }
    }
}
