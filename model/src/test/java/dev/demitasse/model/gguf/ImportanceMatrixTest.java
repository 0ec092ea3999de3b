package dev.demitasse.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.gguf.GgufWriter.Slot;
import dev.demitasse.model.gguf.ImportanceMatrix.Sums;
import dev.demitasse.model.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The layout of llama.cpp's tools/imatrix/imatrix.cpp, {@code save_imatrix} and {@code save_imatrix_legacy}. */
class ImportanceMatrixTest {
    private static final ModelConfig CONFIG = TinyModel.config();
    private static final TensorKey DOWN = TensorKey.weight(Role.DOWN, 1);

    @TempDir
    Path folder;

    private static float[] squares(int count) {
        float[] squares = new float[count];
        for (int i = 0; i < count; i++) {
            squares[i] = i;
        }
        return squares;
    }

    private static ImportanceMatrix matrix() {
        int width = CONFIG.columns(DOWN);
        return ImportanceMatrix.of(
                List.of("a.txt", "b.txt"),
                3,
                512,
                Map.of(
                        "blk.1.ffn_down.weight", new Sums(squares(width), new float[] {4}),
                        "blk.0.ffn_up_exps.weight", new Sums(squares(2 * width), new float[] {4, 0})));
    }

    @Test
    void comesBackAsItWasWritten() throws IOException {
        Path file = folder.resolve("imatrix.gguf");
        matrix().write(file);
        ImportanceMatrix read = ImportanceMatrix.read(file);
        assertThat(read.datasets()).containsExactly("a.txt", "b.txt");
        assertThat(read.chunks()).isEqualTo(3);
        assertThat(read.chunkTokens()).isEqualTo(512);
        assertThat(read.tensors()).containsExactly("blk.0.ffn_up_exps.weight", "blk.1.ffn_down.weight");
        double[] means = read.meanSquares(CONFIG, DOWN).orElseThrow();
        assertThat(means).hasSize(CONFIG.columns(DOWN));
        assertThat(means[6]).isEqualTo(1.5);
        assertThat(read.meanSquares(CONFIG, TensorKey.weight(Role.DOWN, 0))).isEmpty();
    }

    /** The file as llama.cpp sees it: names, shapes, metadata. */
    @Test
    void theFileIsLaidOutAsLlamaImatrixes() throws IOException {
        Path path = folder.resolve("imatrix.gguf");
        matrix().write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.metadata().values())
                    .containsEntry("general.type", "imatrix")
                    .containsEntry("imatrix.chunk_count", 3L)
                    .containsEntry("imatrix.chunk_size", 512L)
                    .containsEntry("imatrix.datasets", List.of("a.txt", "b.txt"));
            long width = CONFIG.columns(DOWN);
            assertThat(file.tensors().get("blk.0.ffn_up_exps.weight.in_sum2").shape())
                    .containsExactly(2L, width);
            assertThat(file.tensors().get("blk.0.ffn_up_exps.weight.counts").shape())
                    .containsExactly(2L, 1L);
        }
    }

    @Test
    void olderFilesAreRead() throws IOException {
        int width = CONFIG.columns(DOWN);
        Path file = folder.resolve("imatrix.dat");
        Files.write(file, legacy("blk.1.ffn_down.weight", 4, squares(width)));
        ImportanceMatrix read = ImportanceMatrix.read(file);
        assertThat(read.meanSquares(CONFIG, DOWN).orElseThrow()[6]).isEqualTo(1.5);
        assertThat(read.chunks()).isEqualTo(9);
        assertThat(read.datasets()).containsExactly("tales.txt");
    }

    private static byte[] legacy(String name, int calls, float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(64 + name.length() + 4 * values.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(1);
        bytes.putInt(name.length()).put(name.getBytes(StandardCharsets.UTF_8));
        bytes.putInt(calls).putInt(values.length);
        for (float value : values) {
            bytes.putFloat(value);
        }
        bytes.putInt(9).putInt(9).put("tales.txt".getBytes(StandardCharsets.UTF_8));
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    @Test
    void brokenFilesAreRefused() throws IOException {
        Path file = folder.resolve("imatrix.dat");
        byte[] whole = legacy("blk.1.ffn_down.weight", 4, squares(64));
        for (int length : new int[] {0, 3, 7, 20, 40, 100, whole.length - 20}) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> ImportanceMatrix.read(file)).isInstanceOf(MalformedModelException.class);
        }
        Files.write(file, legacy("blk.1.ffn_down.weight", 4, new float[] {1, Float.NaN}));
        assertThatThrownBy(() -> ImportanceMatrix.read(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("blk.1.ffn_down.weight");
        Files.write(file, legacy("blk.1.ffn_down.weight", 4, squares(7)));
        ImportanceMatrix other = ImportanceMatrix.read(file);
        assertThatThrownBy(() -> other.meanSquares(CONFIG, DOWN))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("another model");
    }

    @Test
    void sumsWithoutCountsAndModelsAreRefused() throws IOException {
        Path file = folder.resolve("imatrix.gguf");
        write(file, "imatrix", Map.of("x.in_sum2", new float[] {1, 2}));
        assertThatThrownBy(() -> ImportanceMatrix.read(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("x.counts");
        write(file, "imatrix", Map.of());
        assertThatThrownBy(() -> ImportanceMatrix.read(file)).isInstanceOf(MalformedModelException.class);
        write(file, "imatrix", Map.of("x.in_sum2", new float[] {1, 2, 3}, "x.counts", new float[] {1, 1}));
        assertThatThrownBy(() -> ImportanceMatrix.read(file)).isInstanceOf(MalformedModelException.class);
        write(file, "model", Map.of());
        assertThatThrownBy(() -> ImportanceMatrix.read(file)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> ImportanceMatrix.read(folder.resolve("none")))
                .isInstanceOf(InvalidRequestException.class);
    }

    private static void write(Path file, String type, Map<String, float[]> tensors) throws IOException {
        Map<String, Slot> slots = new java.util.LinkedHashMap<>();
        tensors.forEach((name, values) -> slots.put(name, new Slot(ScalarFormat.F32, new long[] {values.length})));
        try (GgufWriter writer = GgufWriter.create(file, Map.of("general.type", type), slots)) {
            for (Map.Entry<String, float[]> tensor : tensors.entrySet()) {
                float[] values = tensor.getValue();
                writer.write(
                        tensor.getKey(),
                        0,
                        Tensor.ofFloats("x", values, values.length).data());
            }
            writer.commit();
        }
    }
}
