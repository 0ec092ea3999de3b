package dev.demitasse.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Parts of any family's model that contribute nothing are the ones to go, and their going changes nothing. */
class EveryFamilyPruningTest {
    private static final int NEURONS = 32;

    @TempDir
    private Path folder;

    static Stream<String> decoders() throws IOException {
        return SharedData.goldens().filter(EveryFamilyPruningTest::isDecoder);
    }

    private static boolean isDecoder(String name) {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/" + name))) {
            return checkpoint.config().causal();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("decoders")
    void neuronsThatFeedNothingGo(String name) throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            ModelConfig config = source.config();
            int kept = config.feedForward().intermediateSize() - NEURONS;
            for (Importance importance : Importance.values()) {
                PruneOptions options = PruneOptions.keepAll(importance).withFeedForward(Keep.count(kept));
                if (!config.uniform() || config.feedForward().experts().isPresent()) {
                    assertRefused(source, options);
                    return;
                }
                Path silenced = folder.resolve("silenced " + importance);
                int first = new Random(5).nextInt(kept);
                write(source, silenced, key -> key.role() == Role.UP, true, first, NEURONS);
                assertSameUnlessUnsayable(silenced, options, golden(name));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("decoders")
    void headsThatFeedNothingGo(String name) throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            ModelConfig config = source.config();
            int groups = config.attention().keyValueHeads();
            if (groups == 1) {
                return;
            }
            PruneOptions options = PruneOptions.keepAll(Importance.MAGNITUDE).withHeads(Keep.count(groups - 1));
            boolean normsAll =
                    config.attention().queryKeyNorm().stream().anyMatch(norm -> norm.scope() == Scope.ALL_HEADS);
            if (normsAll || config.positions() instanceof Positions.Alibi || !config.uniform()) {
                assertRefused(source, options);
                return;
            }
            int width = config.attention().groupSize() * config.attention().headDimension();
            Path silenced = folder.resolve("silenced");
            int first = width * new Random(5).nextInt(groups);
            write(source, silenced, key -> key.role() == Role.ATTENTION_OUTPUT, false, first, width);
            assertSameUnlessUnsayable(silenced, options, golden(name));
        }
    }

    private void assertRefused(Checkpoint source, PruneOptions options) {
        int[][] ids = {{1, 2, 3}};
        assertThatThrownBy(() -> Pruning.run(source, options, () -> ids, folder.resolve("refused"), Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class);
    }

    private static int[][] golden(String name) throws IOException {
        return Golden.read(SharedData.require("golden/" + name)).sequences().stream()
                .map(Golden.Sequence::inputIds)
                .filter(ids -> ids.length == 24)
                .toArray(int[][]::new);
    }

    private void assertSameAfter(Path source, PruneOptions options, int[][] ids) throws IOException {
        Path pruned = folder.resolve("pruned " + options.importance());
        try (Checkpoint silenced = Checkpoint.open(source)) {
            Pruning.run(silenced, options, () -> ids, pruned, Progress.SILENT);
        }
        try (CpuModel before = CpuModel.open(source);
                CpuModel after = CpuModel.open(pruned)) {
            assertThat(after.config().parameters()).isLessThan(before.config().parameters());
            for (int[] window : ids) {
                assertThat(difference(after.logits(window), before.logits(window)))
                        .isLessThan(2e-5);
            }
        }
    }

    /** Where config.json has no head_dim, heads are hidden_size / heads wide; BLOOM has 4 · hidden_size neurons always. */
    private void assertSameUnlessUnsayable(Path source, PruneOptions options, int[][] ids) throws IOException {
        try {
            assertSameAfter(source, options, ids);
        } catch (InvalidRequestException e) {
            assertThat(e).hasMessageContaining("config.json");
        }
    }

    private static double difference(float[] one, float[] other) {
        assertThat(one).hasSameSizeAs(other);
        double largest = 0;
        for (int i = 0; i < one.length; i++) {
            largest = Math.max(largest, Math.abs((double) one[i] - other[i]));
        }
        return largest;
    }

    /**
     * Copies the model, zeros in some of its tensors.
     *
     * @param silent which: of weights {@code count} rows from {@code first} or as many columns, of biases as many elements
     */
    private static void write(
            Checkpoint source, Path target, Predicate<TensorKey> silent, boolean rows, int first, int count)
            throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(
                target,
                source.config(),
                source.tokenizer(),
                key -> source.tensor(key).format())) {
            for (TensorKey key : source.config().tensors()) {
                Tensor tensor = source.tensor(key);
                boolean bias = key.part() == Part.BIAS;
                if (silent.test(key) && (rows || !bias)) {
                    float[] values = tensor.toFloats();
                    int columns = bias ? 1 : tensor.columns();
                    for (int i = 0; i < values.length; i++) {
                        int index = rows ? i / columns : i % columns;
                        values[i] = index >= first && index < first + count ? 0 : values[i];
                    }
                    tensor = Tensor.ofFloats(tensor.name(), values, tensor.shape());
                }
                writer.write(key, tensor);
            }
            writer.commit();
        }
    }
}
