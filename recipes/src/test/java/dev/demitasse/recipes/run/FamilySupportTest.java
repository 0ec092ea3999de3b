package dev.demitasse.recipes.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.distill.TrainedModel;
import dev.demitasse.export.gguf.GgufExport;
import dev.demitasse.export.gguf.GgufOptions;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.Family;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.FamilyConfigs;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.prune.Importance;
import dev.demitasse.prune.Keep;
import dev.demitasse.prune.PruneOptions;
import dev.demitasse.prune.Pruning;
import dev.demitasse.quantize.Quantization;
import dev.demitasse.quantize.QuantizeOptions;
import dev.demitasse.quantize.QuantizeOptions.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * docs/families.md tells what each family supports: what a small random model of it was seen to do, with every engine
 * giving the CPU runtime's logits. {@code -Ddocs.write=true} writes its table anew.
 */
class FamilySupportTest {
    private static final Path DOCUMENT = Path.of("../docs/families.md");
    private static final String MARK = "run it with -Ddocs.write=true. -->\n";
    private static final int[] IDS = {1, 5, 9, 13, 2, 7, 31, 0, 17, 23, 4, 39};
    /** Of the largest logit: sums in another order. */
    private static final double TOLERANCE = 1e-4;

    @TempDir
    private Path folder;

    /** What a family was seen to do. */
    private static final class Support {
        private final Set<String> pruned = new LinkedHashSet<>();
        private boolean quantized;
        private boolean onnx;
        private boolean gguf;
    }

    @Test
    void theTableIsWhatTheEnginesDo() throws IOException {
        Map<String, Support> supports = new TreeMap<>();
        for (String name : FamilyConfigs.names().toList()) {
            ModelConfig config = Families.read(ConfigJson.parse(Path.of("config.json"), FamilyConfigs.text(name)));
            Support support = supports.computeIfAbsent(config.family().id(), id -> new Support());
            examine(name, config, support);
        }
        assertThat(supports.keySet())
                .containsExactlyElementsOf(
                        Families.all().stream().map(Family::id).sorted().toList());
        String table = table(supports);
        String text = Files.readString(DOCUMENT);
        int start = text.indexOf(MARK) + MARK.length();
        assertThat(start).isGreaterThan(MARK.length());
        if (Boolean.getBoolean("docs.write")) {
            AtomicFile.write(DOCUMENT, text.substring(0, start) + table);
            return;
        }
        assertThat(text.substring(start)).isEqualTo(table);
    }

    private void examine(String name, ModelConfig config, Support support) throws IOException {
        Path source = folder.resolve(name);
        write(source, config);
        try (Checkpoint checkpoint = Checkpoint.open(source);
                CpuModel model = CpuModel.of(checkpoint)) {
            float[] expected = model.trace(TokenInput.of(IDS)).logits();
            try (TrainedModel trained = TrainedModel.open(checkpoint)) {
                assertSame(
                        name + " in the trainer",
                        trained.forward(new int[][] {IDS}).logits(),
                        expected);
            }
            support.onnx |= exportsToOnnx(name, checkpoint, expected);
            support.gguf |= exportsToGguf(name, checkpoint, expected);
            if (config.causal()) {
                support.quantized |= quantizes(name, checkpoint);
                support.pruned.addAll(prunes(name, checkpoint));
            }
        }
    }

    /** Norms near 1, everything else small: logits of a few units. */
    private static void write(Path target, ModelConfig config) throws IOException {
        Random random = new Random(11);
        try (CheckpointWriter writer =
                CheckpointWriter.create(target, config, Optional.empty(), key -> ScalarFormat.F32)) {
            for (TensorKey key : config.tensors()) {
                long[] shape = config.shape(key);
                float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
                boolean around1 = key.role().norm()
                        && key.part() == TensorKey.Part.WEIGHT
                        && !config.norm(key).unitOffset();
                for (int i = 0; i < values.length; i++) {
                    values[i] = (around1 ? 1 : 0) + 0.2f * (float) random.nextGaussian();
                }
                writer.write(key, Tensor.ofFloats("random", values, shape));
            }
            writer.commit();
        }
    }

    private boolean exportsToOnnx(String name, Checkpoint checkpoint, float[] expected) throws IOException {
        Path file = folder.resolve(name + " onnx").resolve("model.onnx");
        Files.createDirectories(file.getParent());
        try {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
        } catch (InvalidRequestException e) {
            return false;
        }
        try (OrtModel graph = OrtModel.open(file);
                CpuModel again = CpuModel.open(file)) {
            assertSame(name + " in ONNX Runtime", graph.logits(IDS), expected);
            assertSame(name + " read back from ONNX", again.logits(IDS), expected);
        }
        return true;
    }

    /** To GGUF, read back, and from GGUF to a Hugging Face checkpoint again. */
    private boolean exportsToGguf(String name, Checkpoint checkpoint, float[] expected) throws IOException {
        Path file = folder.resolve(name + ".gguf");
        try {
            GgufExport.write(checkpoint, GgufOptions.asStored(), file, Progress.SILENT);
        } catch (InvalidRequestException e) {
            return false;
        }
        Path back = folder.resolve(name + " back");
        try (Checkpoint written = Checkpoint.open(file)) {
            try (CpuModel model = CpuModel.of(written)) {
                assertSame(name + " in GGUF", model.trace(TokenInput.of(IDS)).logits(), expected);
            }
            try (CheckpointWriter writer =
                    CheckpointWriter.create(back, written.config(), Optional.empty(), key -> ScalarFormat.F32)) {
                for (TensorKey key : written.config().tensors()) {
                    writer.write(key, written.tensor(key));
                }
                writer.commit();
            }
        }
        try (CpuModel model = CpuModel.open(back)) {
            assertSame(name + " back from GGUF", model.trace(TokenInput.of(IDS)).logits(), expected);
        }
        return true;
    }

    private boolean quantizes(String name, Checkpoint checkpoint) throws IOException {
        for (Method method : Method.values()) {
            Path target = folder.resolve(name + " " + method);
            QuantizeOptions options =
                    QuantizeOptions.of(method, method == Method.SMOOTHQUANT ? ScalarFormat.I8 : new Q8_0());
            Quantization.run(checkpoint, options, windows(), target, Progress.SILENT);
            try (CpuModel model = CpuModel.open(target)) {
                assertThat(model.logits(IDS)).doesNotContain(Float.NaN);
            }
        }
        return true;
    }

    private List<String> prunes(String name, Checkpoint checkpoint) throws IOException {
        ModelConfig config = checkpoint.config();
        PruneOptions all = PruneOptions.keepAll(Importance.ACTIVATION).withMultipleOf(1);
        Map<String, PruneOptions> choices = new TreeMap<>(Map.of(
                "ffn", all.withFeedForward(Keep.count(config.feedForward().intermediateSize() / 2)),
                "hidden", all.withHidden(Keep.count(config.hiddenSize() - 8)),
                "layers", all.withLayers(Keep.count(config.layers() - 1))));
        if (config.attention().keyValueHeads() > 1) {
            choices.put("heads", all.withHeads(Keep.count(config.attention().keyValueHeads() / 2)));
        }
        List<String> done = new ArrayList<>();
        for (Map.Entry<String, PruneOptions> choice : choices.entrySet()) {
            Path target = folder.resolve(name + " without " + choice.getKey());
            try {
                Pruning.run(checkpoint, choice.getValue(), Optional.of(windows()), target, Progress.SILENT);
            } catch (InvalidRequestException e) {
                continue;
            }
            try (CpuModel model = CpuModel.open(target)) {
                assertThat(model.logits(IDS)).doesNotContain(Float.NaN);
                assertThat(model.config().parameters()).isLessThan(config.parameters());
            }
            done.add(choice.getKey());
        }
        return done;
    }

    private static TokenWindows windows() {
        Random random = new Random(3);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            windows.add(random.ints(IDS.length, 0, 40).toArray());
        }
        return TokenWindows.ofTokens("random", windows);
    }

    private static void assertSame(String what, float[] actual, float[] expected) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        double largest = 0;
        double difference = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            double change = Math.abs((double) actual[i] - expected[i]);
            difference = Math.max(difference, Double.isNaN(change) ? Double.POSITIVE_INFINITY : change);
        }
        assertThat(difference).as(what).isLessThan(TOLERANCE * Math.max(1, largest));
    }

    private static String table(Map<String, Support> supports) {
        StringBuilder text = new StringBuilder("""

                | family | architectures in config.json | run, train | prune | quantize | GGUF | ONNX |
                |---|---|---|---|---|---|---|
                """);
        supports.forEach((id, support) -> {
            Family family = Families.named(id);
            text.append("| %s | %s | yes | %s | %s | %s | %s |%n"
                    .formatted(
                            id,
                            String.join(
                                    ", ",
                                    family.architectures().stream().sorted().toList()),
                            support.pruned.isEmpty()
                                    ? "–"
                                    : String.join(
                                            ", ",
                                            support.pruned.stream().sorted().toList()),
                            support.quantized ? "yes" : "–",
                            support.gguf ? family.ggufArchitecture().orElseThrow() : "–",
                            support.onnx ? "yes" : "–"));
        });
        return text.toString();
    }
}
