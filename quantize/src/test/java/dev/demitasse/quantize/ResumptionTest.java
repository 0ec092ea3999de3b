package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.quantize.QuantizeOptions.Method;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A quantization that was cut off, or whose hidden states do not fit in memory, ends in the bytes of one that was not. */
class ResumptionTest {
    private static final QuantizeOptions GPTQ = QuantizeOptions.of(Method.GPTQ, new Q4_0());
    private static final int WINDOWS = 6;
    private static final int LENGTH = 32;

    @TempDir
    private Path temporary;

    /** What a kill is to a run. */
    private static final class Cut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** Stops a run that tells of so many parts of layers. */
    private static final class CutAfter implements Progress {
        private final long parts;
        private long done;

        CutAfter(double layers) {
            this.parts = Math.round(layers * LayerProgress.PARTS);
        }

        @Override
        public void begin(String task, long steps, String unit) {
            done = 0;
        }

        @Override
        public void advance(long steps) {
            done += steps;
            if (done >= parts) {
                throw new Cut();
            }
        }

        @Override
        public void note(String text) {}

        @Override
        public void end() {}
    }

    @ParameterizedTest
    @ValueSource(strings = {"GPTQ", "SMOOTHQUANT"})
    void goesOnAfterEachLayerToTheSameBytes(Method method) throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        QuantizeOptions options =
                QuantizeOptions.of(method, method == Method.SMOOTHQUANT ? ScalarFormat.I8 : new Q4_0());
        Path whole = temporary.resolve("whole");
        QuantizationReport expected = run(model, options, job -> job, whole, Progress.SILENT);
        Path output = temporary.resolve("output");
        Path work = temporary.resolve("work");
        for (double layers : new double[] {0.5, 1, 2.4, 4}) {
            assertThatThrownBy(() -> run(model, options, job -> job.withWork(work), output, new CutAfter(layers)))
                    .isInstanceOf(Cut.class);
            assertThat(output.resolve("model.safetensors")).doesNotExist();
        }
        QuantizationReport report = run(model, options, job -> job.withWork(work), output, Progress.SILENT);
        assertThat(report.resumption()).get().asString().contains("after layer 4");
        assertSame(whole, output);
        assertThat(report.tensors()).hasSameSizeAs(expected.tensors());
        for (int i = 0; i < report.tensors().size(); i++) {
            assertThat(report.tensors().get(i).name())
                    .isEqualTo(expected.tensors().get(i).name());
            assertThat(report.tensors().get(i).outputError())
                    .isEqualTo(expected.tensors().get(i).outputError());
        }
        assertThat(work).isEmptyDirectory();
    }

    @Test
    void doesNotUseTheWorkOfAnotherJob() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        Path whole = temporary.resolve("whole");
        run(model, GPTQ, job -> job, whole, Progress.SILENT);
        Path work = temporary.resolve("work");
        Path output = temporary.resolve("output");
        for (QuantizeOptions other : List.of(GPTQ.withFloatTarget(0), GPTQ.withEmbedding(new Q4_0()))) {
            assertThatThrownBy(() -> run(model, other, job -> job.withWork(work), output, new CutAfter(2)))
                    .isInstanceOf(Cut.class);
            QuantizationReport report = run(model, GPTQ, job -> job.withWork(work), output, Progress.SILENT);
            assertThat(report.resumption()).get().asString().contains("another quantization");
            assertSame(whole, output);
        }
    }

    /** A byte of a tensor or of the states that is not what it was, or a file that is gone: all is done anew. */
    @ParameterizedTest
    @ValueSource(strings = {"weights.part", "states-2-0.bin", "states-2-1.bin", "gone"})
    void doesNotUseDamagedWork(String damaged) throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        Path whole = temporary.resolve("whole");
        run(model, GPTQ, job -> job, whole, Progress.SILENT);
        Path work = temporary.resolve("work");
        Path output = temporary.resolve("output");
        assertThatThrownBy(() -> run(model, GPTQ, job -> job.withWork(work), output, new CutAfter(2)))
                .isInstanceOf(Cut.class);
        if (damaged.equals("gone")) {
            Files.delete(work.resolve("states-2-1.bin"));
        } else {
            try (RandomAccessFile file =
                    new RandomAccessFile(work.resolve(damaged).toFile(), "rw")) {
                long at = damaged.startsWith("weights") ? 40_000 : 1000;
                file.seek(at);
                int value = file.read();
                file.seek(at);
                file.write(value ^ 1);
            }
        }
        QuantizationReport report = run(model, GPTQ, job -> job.withWork(work), output, Progress.SILENT);
        assertThat(report.resumption()).get().asString().contains("damaged");
        assertSame(whole, output);
    }

    /** Of families with every kind of layer: sequential, parallel, norms afterwards, experts. */
    @ParameterizedTest
    @ValueSource(strings = {"llama_tied", "falcon_new_arch", "gpt_neox_parallel", "olmo2", "gemma2", "mixtral"})
    void statesInFilesGiveTheSameBytes(String name) throws IOException {
        Path model = SharedData.require("golden/" + name);
        QuantizeOptions options = QuantizeOptions.of(Method.GPTQ, new Q8_0());
        Path inMemory = temporary.resolve("memory");
        run(model, options, job -> job, inMemory, Progress.SILENT);
        for (long bytes : new long[] {0, 60_000}) {
            Path output = temporary.resolve("file" + bytes);
            run(model, options, job -> job.withStateBytes(bytes), output, Progress.SILENT);
            assertSame(inMemory, output);
            assertThat(parts(output)).isEmpty();
        }
    }

    @Test
    void saysHowMuchRoomIsMissing() {
        assertThatThrownBy(() -> SpillFile.temporary(temporary, 1_000_000_000, 1_000_000))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(temporary.toString())
                .hasMessageContaining("take 3,814,697,266 MB")
                .hasMessageContaining("free some space");
        assertThat(temporary).isEmptyDirectory();
    }

    private static List<String> parts(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(file -> file.endsWith(".part"))
                    .toList();
        }
    }

    private static void assertSame(Path expected, Path actual) {
        assertThat(actual.resolve("model.safetensors")).hasSameBinaryContentAs(expected.resolve("model.safetensors"));
        assertThat(actual.resolve("config.json")).hasSameBinaryContentAs(expected.resolve("config.json"));
    }

    private static QuantizationReport run(
            Path model, QuantizeOptions options, UnaryOperator<QuantizationJob> how, Path output, Progress progress)
            throws IOException {
        try (Checkpoint source = Checkpoint.open(model)) {
            Random random = new Random(3);
            List<int[]> windows = new ArrayList<>();
            for (int i = 0; i < WINDOWS; i++) {
                windows.add(
                        random.ints(LENGTH, 0, source.config().vocabularySize()).toArray());
            }
            TokenWindows calibration = TokenWindows.ofTokens("random", windows);
            QuantizationJob job = QuantizationJob.of(source, options, Optional.of(calibration), output);
            return Quantization.run(how.apply(job), progress);
        }
    }
}
