package dev.demitasse.recipes.run;

import dev.demitasse.distill.TrainedModel;
import dev.demitasse.distill.TrainedModel.ForwardResult;
import dev.demitasse.export.gguf.GgufExport;
import dev.demitasse.export.gguf.GgufOptions;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Positions;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.files.Folders;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** Compares what our engines make of a checkpoint with what another implementation made of it. */
public final class Verification {
    /** Float32 sums taken in another order differ by about this much on small random models. */
    private static final double FLOAT_TOLERANCE = 5e-5;

    private static final double GRAPH_TOLERANCE = 1e-4;

    private Verification() {}

    /**
     * How one engine did on one checkpoint.
     *
     * @param folder the checkpoint
     * @param engine who computed
     * @param logits largest absolute difference of a logit
     * @param hiddenStates largest absolute difference of a hidden state
     * @param greedy whether greedy decoding gave the same tokens; absent where it was not tried
     * @param tolerance up to which differences pass
     */
    public record Outcome(
            Path folder,
            String engine,
            double logits,
            OptionalDouble hiddenStates,
            Optional<Boolean> greedy,
            double tolerance) {
        public boolean passed() {
            return logits <= tolerance
                    && (hiddenStates.isEmpty() || hiddenStates.getAsDouble() <= tolerance)
                    && greedy.orElse(true);
        }

        @Override
        public String toString() {
            return "%-26s %-8s logits %.1e  %s  %s  %s"
                    .formatted(
                            folder.getFileName(),
                            engine,
                            logits,
                            hiddenStates.isPresent()
                                    ? "hidden %.1e".formatted(hiddenStates.getAsDouble())
                                    : "              ",
                            greedy.map(same -> same ? "greedy equal" : "greedy DIFFERS")
                                    .orElse("            "),
                            passed() ? "ok" : "FAILED (at most %.0e)".formatted(tolerance));
        }
    }

    /** Runs every engine on the checkpoint in {@code folder}. */
    public static List<Outcome> of(Path folder) throws IOException {
        Golden golden = Golden.read(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            List<Outcome> outcomes = new ArrayList<>();
            outcomes.add(cpu(folder, "cpu", checkpoint, golden));
            outcomes.add(trainer(folder, checkpoint, golden));
            if (checkpoint.config().causal()) {
                outcomes.add(onnx(folder, checkpoint, golden));
                if (checkpoint.config().family().ggufArchitecture().isPresent()) {
                    outcomes.add(gguf(folder, checkpoint, golden));
                }
            }
            return outcomes;
        }
    }

    private static Outcome cpu(Path folder, String engine, Checkpoint checkpoint, Golden golden) {
        double logits = 0;
        double hidden = 0;
        Optional<Boolean> greedy = Optional.empty();
        try (CpuModel model = CpuModel.of(checkpoint)) {
            for (Golden.Sequence sequence : golden.sequences()) {
                CpuModel.Trace trace = model.trace(sequence.input());
                logits = Math.max(logits, difference(trace.logits(), sequence.logits()));
                hidden = Math.max(hidden, differences(trace.hiddenStates(), sequence.hiddenStates()));
                if (sequence.greedy().isPresent()) {
                    boolean same = sameGreedy(model, sequence, sequence.greedy().get());
                    greedy = Optional.of(same && greedy.orElse(true));
                }
            }
        }
        return new Outcome(folder, engine, logits, OptionalDouble.of(hidden), greedy, FLOAT_TOLERANCE);
    }

    /** The CPU runtime on the checkpoint as a GGUF file. */
    private static Outcome gguf(Path folder, Checkpoint checkpoint, Golden golden) throws IOException {
        Path place = Files.createTempDirectory("demitasse-verify");
        try {
            Path file = place.resolve("model.gguf");
            GgufExport.write(checkpoint, GgufOptions.asStored(), file, Progress.SILENT);
            try (Checkpoint written = Checkpoint.open(file)) {
                return cpu(folder, "gguf", written, golden);
            }
        } finally {
            Folders.delete(place);
        }
    }

    /** Decodes greedily with the cache from the prompt that {@code expected} begins with. */
    private static boolean sameGreedy(CpuModel model, Golden.Sequence sequence, int[] expected) {
        int prompt = 0;
        while (prompt < expected.length
                && prompt < sequence.length()
                && expected[prompt] == sequence.inputIds()[prompt]) {
            prompt++;
        }
        // The prompt is at most eight tokens; those after it may agree by chance.
        prompt = Math.min(prompt, 8);
        int[] tokens = Arrays.copyOf(expected, prompt);
        // Keys in a cache stay as they were where each length has frequencies of its own; the reference keeps no cache.
        boolean anew = model.config().positions() instanceof Positions.Rotary rotary
                && rotary.scaling() instanceof RopeScaling.Dynamic;
        Session session = model.newSession(expected.length);
        try {
            float[] next = session.forward(tokens, Logits.LAST);
            for (int position = prompt; position < expected.length; position++) {
                int best = 0;
                for (int id = 1; id < next.length; id++) {
                    best = next[id] > next[best] ? id : best;
                }
                if (best != expected[position]) {
                    return false;
                }
                if (anew) {
                    session.close();
                    session = model.newSession(expected.length);
                    next = session.forward(Arrays.copyOf(expected, position + 1), Logits.LAST);
                } else {
                    next = session.forward(new int[] {best}, Logits.LAST);
                }
            }
        } finally {
            session.close();
        }
        return true;
    }

    private static Outcome trainer(Path folder, Checkpoint checkpoint, Golden golden) {
        double logits = 0;
        double hidden = 0;
        try (TrainedModel model = TrainedModel.open(checkpoint)) {
            for (Golden.Sequence sequence : golden.sequences()) {
                ForwardResult result = model.forward(List.of(sequence.input()));
                logits = Math.max(logits, difference(result.logits(), sequence.logits()));
                hidden = Math.max(hidden, differences(result.hiddenStates(), sequence.hiddenStates()));
            }
        }
        return new Outcome(folder, "trainer", logits, OptionalDouble.of(hidden), Optional.empty(), FLOAT_TOLERANCE);
    }

    private static Outcome onnx(Path folder, Checkpoint checkpoint, Golden golden) throws IOException {
        Path place = Files.createTempDirectory("demitasse-verify");
        Path file = place.resolve("model.onnx");
        double logits = 0;
        try {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT.withDequantized(), file, Progress.SILENT);
            try (OrtModel model = OrtModel.open(file)) {
                for (Golden.Sequence sequence : golden.sequences()) {
                    logits = Math.max(logits, difference(model.logits(sequence.inputIds()), sequence.logits()));
                }
            }
        } finally {
            Folders.delete(place);
        }
        return new Outcome(folder, "onnx", logits, OptionalDouble.empty(), Optional.empty(), GRAPH_TOLERANCE);
    }

    private static double differences(List<float[]> ours, List<float[]> theirs) {
        if (theirs.isEmpty()) {
            return 0;
        }
        // A last state of another width than the others', after a projection, is left out of the file.
        int missing = ours.size() - theirs.size();
        double largest = missing == 0 || missing == 1 ? 0 : Double.POSITIVE_INFINITY;
        for (int i = 0; i < Math.min(ours.size(), theirs.size()); i++) {
            largest = Math.max(largest, difference(ours.get(i), theirs.get(i)));
        }
        return largest;
    }

    private static double difference(float[] ours, float[] theirs) {
        if (ours.length != theirs.length) {
            return Double.POSITIVE_INFINITY;
        }
        double largest = 0;
        for (int i = 0; i < ours.length; i++) {
            double difference = Math.abs((double) ours[i] - theirs[i]);
            largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(largest, difference);
        }
        return largest;
    }
}
