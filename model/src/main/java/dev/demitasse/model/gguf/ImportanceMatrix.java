package dev.demitasse.model.gguf;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.gguf.GgufWriter.Slot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What llama-imatrix collects: of every projection the sum of squares of each of its inputs over calibration text. A file
 * is a GGUF with {@code general.type} "imatrix" and two F32 tensors for each of the model's, NAME.in_sum2
 * {@code [matrices, in]} and NAME.counts {@code [matrices, 1]}, as many matrices as the tensor has experts (llama.cpp,
 * tools/imatrix/imatrix.cpp, {@code save_imatrix}). Older files, without magic, can be read too ({@code save_imatrix_legacy}).
 */
public final class ImportanceMatrix {
    private static final String SQUARES = ".in_sum2";
    private static final String COUNTS = ".counts";

    private final String source;
    private final List<String> datasets;
    private final int chunks;
    private final int chunkTokens;
    private final Map<String, Sums> entries;

    private ImportanceMatrix(
            String source, List<String> datasets, int chunks, int chunkTokens, Map<String, Sums> entries) {
        this.source = source;
        this.datasets = List.copyOf(datasets);
        this.chunks = chunks;
        this.chunkTokens = chunkTokens;
        this.entries = new TreeMap<>(entries);
    }

    /**
     * Sums of one tensor.
     *
     * @param squares {@code [matrices, in]}
     * @param counts tokens that each matrix saw, or all of them, {@code [matrices]} or {@code [1]}
     */
    @SuppressWarnings("ArrayRecordComponent") // compared by identity, never by content
    public record Sums(float[] squares, float[] counts) {}

    /**
     * Sums that were collected here.
     *
     * @param datasets names of the calibration texts
     * @param chunks windows of text
     * @param chunkTokens tokens in each
     * @param entries by the names of GGUF's tensors
     */
    public static ImportanceMatrix of(List<String> datasets, int chunks, int chunkTokens, Map<String, Sums> entries) {
        return new ImportanceMatrix("the importance matrix", datasets, chunks, chunkTokens, entries);
    }

    /**
     * @throws InvalidRequestException if there is no such file, or it is a model
     * @throws MalformedModelException if it is broken
     */
    public static ImportanceMatrix read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidRequestException(file, "there is no such file", "check the name");
        }
        return GgufFile.hasMagic(file) ? readGguf(file) : LegacyImportance.read(file);
    }

    private static ImportanceMatrix readGguf(Path path) throws IOException {
        try (GgufFile file = GgufFile.open(path)) {
            GgufMetadata metadata = file.metadata();
            if (!metadata.text("general.type").orElse("model").equals("imatrix")) {
                throw new InvalidRequestException(
                        path, "is not an importance matrix", "make one with `demitasse imatrix` or llama-imatrix");
            }
            Map<String, Sums> entries = new LinkedHashMap<>();
            for (String name : file.tensors().keySet()) {
                if (name.endsWith(SQUARES)) {
                    String tensor = name.substring(0, name.length() - SQUARES.length());
                    float[] squares = file.tensor(name).toFloats();
                    float[] counts = file.tensor(tensor + COUNTS).toFloats();
                    entries.put(tensor, checked(path, tensor, squares, counts));
                }
            }
            return of(
                    path,
                    metadata.list("imatrix.datasets", String.class).orElse(List.of()),
                    metadata.size("imatrix.chunk_count", 1),
                    metadata.size("imatrix.chunk_size", 1),
                    entries);
        }
    }

    static ImportanceMatrix of(
            Path file, List<String> datasets, int chunks, int chunkTokens, Map<String, Sums> entries) {
        if (entries.isEmpty()) {
            throw new MalformedModelException(file, "tells of no tensor", "make it anew");
        }
        return new ImportanceMatrix(file.toString(), datasets, chunks, chunkTokens, entries);
    }

    static Sums checked(Path file, String tensor, float[] squares, float[] counts) {
        boolean whole = counts.length > 0 && squares.length > 0 && squares.length % counts.length == 0;
        for (float square : squares) {
            whole &= square >= 0 && square < Float.POSITIVE_INFINITY;
        }
        for (float count : counts) {
            whole &= count >= 0 && count < Float.POSITIVE_INFINITY;
        }
        if (!whole) {
            throw new MalformedModelException(
                    file,
                    "of '%s' it has %,d sums and %,d counts, or some that are negative or not finite"
                            .formatted(tensor, squares.length, counts.length),
                    "make it anew");
        }
        return new Sums(squares, counts);
    }

    /** Writes {@code file} in GGUF. */
    public void write(Path file) throws IOException {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.type", "imatrix");
        metadata.put("imatrix.datasets", datasets);
        metadata.put("imatrix.chunk_count", chunks);
        metadata.put("imatrix.chunk_size", chunkTokens);
        Map<String, Slot> slots = new LinkedHashMap<>();
        entries.forEach((name, sums) -> {
            int matrices = sums.counts().length;
            slots.put(name + SQUARES, slot(matrices, sums.squares().length / matrices));
            slots.put(name + COUNTS, slot(matrices, 1));
        });
        try (GgufWriter writer = GgufWriter.create(file, metadata, slots)) {
            for (Map.Entry<String, Sums> entry : entries.entrySet()) {
                Sums sums = entry.getValue();
                write(writer, entry.getKey() + SQUARES, sums.squares());
                write(writer, entry.getKey() + COUNTS, sums.counts());
            }
            writer.commit();
        }
    }

    private static Slot slot(long rows, long columns) {
        return new Slot(ScalarFormat.F32, new long[] {rows, columns});
    }

    private static void write(GgufWriter writer, String name, float[] values) throws IOException {
        writer.write(name, 0, Tensor.ofFloats(name, values, values.length).data());
    }

    /** Names of the calibration texts, as the file has them. */
    public List<String> datasets() {
        return datasets;
    }

    /** Windows of calibration text. */
    public int chunks() {
        return chunks;
    }

    /** Tokens in each of them; 1 where the file does not say. */
    public int chunkTokens() {
        return chunkTokens;
    }

    /** Names of the tensors it tells of. */
    public List<String> tensors() {
        return List.copyOf(entries.keySet());
    }

    /** The sums of one of {@link #tensors}. */
    public Optional<Sums> sums(String tensor) {
        return Optional.ofNullable(entries.get(tensor));
    }

    /**
     * The mean square of each input of a projection, {@code [in]}; empty where it tells nothing of it, as of an expert that
     * no token was sent to.
     *
     * @throws MalformedModelException if it belongs to a model of other widths
     */
    public Optional<double[]> meanSquares(ModelConfig config, TensorKey key) {
        String name = config.names().gguf(key).getFirst().name();
        Sums sums = entries.get(name);
        if (sums == null) {
            return Optional.empty();
        }
        int width = config.columns(key);
        int matrices = sums.squares().length / width;
        int matrix = matrices == 1 ? 0 : Math.max(0, key.expert());
        if (sums.squares().length % width != 0 || matrix >= matrices || matrices > 1 && key.expert() < 0) {
            throw new MalformedModelException(
                    source,
                    "has %,d sums for '%s', which has %,d inputs".formatted(sums.squares().length, name, width),
                    "it belongs to another model");
        }
        double count = sums.counts()[sums.counts().length == 1 ? 0 : matrix];
        if (count == 0) {
            return Optional.empty();
        }
        double[] means = new double[width];
        for (int i = 0; i < width; i++) {
            means[i] = sums.squares()[matrix * width + i] / count;
        }
        return Optional.of(means);
    }
}
