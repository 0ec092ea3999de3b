package dev.demitasse.export.gguf;

import dev.demitasse.export.ExportReport;
import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgmlType;
import dev.demitasse.model.gguf.GgufCheckpoint;
import dev.demitasse.model.gguf.GgufTokenizer;
import dev.demitasse.model.gguf.GgufWriter;
import dev.demitasse.model.gguf.GgufWriter.Slot;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Writes a checkpoint as a GGUF file that llama.cpp runs. Tensors stored in the wanted format are copied byte for byte;
 * others are rounded to nearest, row by row. Norms and biases are F32, as llama.cpp expects them.
 */
public final class GgufExport {
    private static final int QUANTIZATION_VERSION = 2;
    private static final int CHUNK_BYTES = 8 << 20;

    private final Checkpoint source;
    private final ModelConfig config;
    private final GgufOptions options;
    private final ExportReport.Builder report = new ExportReport.Builder();
    private final TensorNames names;
    private final Map<String, Slot> slots = new LinkedHashMap<>();

    private GgufExport(Checkpoint source, GgufOptions options) {
        this.source = source;
        this.config = source.config();
        this.options = options;
        this.names = config.names();
    }

    /**
     * Writes {@code file}.
     *
     * @throws dev.demitasse.model.InvalidRequestException if tokenizer and model do not fit each other
     */
    public static ExportReport write(Checkpoint source, GgufOptions options, Path file, Progress progress)
            throws IOException {
        Outliers.refuse(source, "GGUF");
        if (source.config().family().ggufArchitecture().isEmpty()) {
            throw new InvalidRequestException(
                    source.path(),
                    "is of the family %s, which llama.cpp and so GGUF does not have"
                            .formatted(source.config().family().id()),
                    "export it to ONNX");
        }
        return new GgufExport(source, options).write(file, progress);
    }

    private ExportReport write(Path file, Progress progress) throws IOException {
        List<TensorKey> keys = config.tensors();
        for (TensorKey key : keys) {
            TensorFormat format = format(key);
            for (Piece piece : names.gguf(key)) {
                Slot slot = new Slot(format, piece.shape());
                slots.merge(piece.name(), slot, GgufExport::common);
            }
        }
        factors().forEach((name, factors) -> slots.put(name, new Slot(ScalarFormat.F32, new long[] {factors.length})));
        progress.begin("writing GGUF", keys.size(), "tensors");
        try (GgufWriter writer = GgufWriter.create(file, metadata(file), slots)) {
            for (TensorKey key : keys) {
                write(writer, key);
                progress.advance(1);
            }
            for (Map.Entry<String, float[]> factors : factors().entrySet()) {
                Tensor tensor = Tensor.ofFloats(factors.getKey(), factors.getValue(), factors.getValue().length);
                writer.write(tensor.name(), 0, tensor.data());
            }
            writer.commit();
        }
        progress.end();
        slots.forEach((name, slot) -> report.stored(name, slot.format().id()));
        return report.build(List.of(file.toAbsolutePath()), Files.size(file));
    }

    /** One tensor that holds several of the model's has one format. */
    private static Slot common(Slot one, Slot other) {
        return one.format().equals(other.format()) ? one : new Slot(ScalarFormat.F16, one.shape());
    }

    private String name(TensorKey key) {
        return names.gguf(key).getFirst().name();
    }

    /** What the tensor is stored as; notes where that is not what was asked. */
    private TensorFormat format(TensorKey key) {
        if (!key.role().matrix() || key.part() == Part.BIAS || added(key)) {
            return ScalarFormat.F32;
        }
        TensorFormat stored = source.format(key);
        TensorFormat wanted = options.format().orElse(natural(stored));
        boolean kept = GgmlType.of(stored).isPresent();
        if (wanted instanceof BlockFormat && stored instanceof BlockFormat && kept && !stored.equals(wanted)) {
            report.changed(name(key), stored.id(), stored.id(), "kept, as it was quantized into this format already");
            return stored;
        }
        if (!wanted.fits(config.columns(key))) {
            report.changed(
                    name(key),
                    stored.id(),
                    ScalarFormat.F16.id(),
                    "%d columns are no whole %s blocks of %d"
                            .formatted(config.columns(key), wanted.id(), wanted.blockSize()));
            return ScalarFormat.F16;
        }
        if (stored.rowScaled() || stored instanceof BlockFormat && !kept) {
            String why = stored.rowScaled() ? "scales by row" : stored.id();
            report.changed(name(key), stored.id(), wanted.id(), "GGUF has no " + why + ": rounded again");
        }
        return wanted;
    }

    /** Whether rows of it are added to the embedding: llama.cpp keeps those as they are. */
    private static boolean added(TensorKey key) {
        return key.role() == Role.POSITION_EMBEDDING || key.role() == Role.TOKEN_TYPE_EMBEDDING;
    }

    /** The format of a GGUF file nearest to what the checkpoint has. */
    private static TensorFormat natural(TensorFormat stored) {
        return switch (stored) {
            case BlockFormat block -> GgmlType.of(block).isPresent() ? block : new Q8_0();
            case ScalarFormat scalar ->
                switch (scalar) {
                    case F32, F16, BF16 -> scalar;
                    case I8, F8_E4M3 -> new Q8_0();
                    case F64, I64, I32, I16, U8, BOOL -> ScalarFormat.F32;
                };
        };
    }

    private void write(GgufWriter writer, TensorKey key) throws IOException {
        SourceTensor tensor = SourceTensor.of(source, key, config.ggufForm());
        List<Piece> pieces = names.gguf(key);
        if (!key.role().matrix() || key.part() == Part.BIAS) {
            Tensor vector = Tensor.ofFloats(name(key), tensor.vector(), tensor.shape());
            Pieces.scatter(vector, pieces, writer::write);
            return;
        }
        for (Piece piece : pieces) {
            for (long run = 0; run < piece.count(); run++) {
                int from = Math.toIntExact(piece.at() + run * piece.run());
                long to = piece.start() + run * piece.stride();
                writeRows(writer, tensor, from, Math.toIntExact(piece.run()), piece.name(), to);
            }
        }
    }

    /** Rows {@code from} on of {@code tensor} to the file's tensor {@code name} from its row {@code to}. */
    private void writeRows(GgufWriter writer, SourceTensor tensor, int from, int rows, String name, long to)
            throws IOException {
        TensorFormat format = Optional.ofNullable(slots.get(name)).orElseThrow().format();
        long rowBytes = format.bytes(tensor.columns());
        int rowsAtATime = Math.clamp(CHUNK_BYTES / rowBytes, 1, rows);
        MemorySegment chunk = MemorySegment.ofArray(new byte[Math.toIntExact(rowsAtATime * rowBytes)]);
        float[] row = new float[tensor.columns()];
        for (int done = 0; done < rows; done += rowsAtATime) {
            int count = Math.min(rowsAtATime, rows - done);
            for (int i = 0; i < count; i++) {
                if (tensor.format().equals(format)) {
                    MemorySegment.copy(tensor.rowBytes(from + done + i), 0, chunk, i * rowBytes, rowBytes);
                } else {
                    tensor.readRow(from + done + i, row);
                    format.encode(row, 0, row.length, chunk, i * rowBytes);
                }
            }
            writer.write(name, (to + done) * rowBytes, chunk.asSlice(0, count * rowBytes));
        }
    }

    /** Divisors of the rotary frequencies, of scalings that llama.cpp has no metadata for, by the tensors they stand in. */
    private Map<String, float[]> factors() {
        if (!(config.positions() instanceof Rotary rotary)) {
            return Map.of();
        }
        return switch (rotary.scaling()) {
            case RopeScaling.None none -> Map.of();
            case RopeScaling.Linear linear -> Map.of();
            case RopeScaling.Yarn yarn -> Map.of();
            case RopeScaling.Llama3 llama3 -> Map.of(GgufCheckpoint.FREQUENCY_FACTORS, floats(rotary.factors(1)));
            case RopeScaling.Factors list -> Map.of(GgufCheckpoint.FREQUENCY_FACTORS, floats(rotary.factors(1)));
            case RopeScaling.LongRope rope ->
                new TreeMap<>(Map.of(
                        GgufCheckpoint.SHORT_FACTORS, floats(rotary.factors(1)),
                        GgufCheckpoint.LONG_FACTORS, floats(rotary.factors(Integer.MAX_VALUE))));
            case RopeScaling.Dynamic dynamic -> {
                report.note("GGUF has no dynamic rope scaling: past %,d positions the file's model differs"
                        .formatted(dynamic.originalMaximumPositions()));
                yield Map.of();
            }
        };
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    private Map<String, Object> metadata(Path file) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", config.family().ggufArchitecture().orElseThrow());
        metadata.put("general.name", options.name().orElseGet(() -> baseName(source.path(), file)));
        metadata.put("general.alignment", GgufWriter.ALIGNMENT);
        metadata.put("general.quantization_version", QUANTIZATION_VERSION);
        metadata.put("general.file_type", fileType());
        metadata.putAll(config.family().writeGguf(config));
        config.blocks().stream()
                .mapToInt(block -> block.attention().slidingWindow())
                .filter(window ->
                        window < config.maximumPositions() && !config.family().windowsInGguf())
                .findFirst()
                .ifPresent(window -> report.note(
                        "llama.cpp lets this architecture's tokens see all before them, not only the last " + window));
        config.family().beyondLlamaCpp(config).ifPresent(report::note);
        metadata.putAll(source.tokenizer().map(this::keys).orElseGet(() -> {
            report.note("the model has no tokenizer: the file takes ids only");
            return Map.of("tokenizer.ggml.model", "none");
        }));
        return metadata;
    }

    private Map<String, Object> keys(Tokenizer tokenizer) {
        GgufTokenizer.Keys keys = GgufTokenizer.write(tokenizer, config);
        keys.cautions().forEach(report::note);
        return keys.values();
    }

    private static String baseName(Path source, Path file) {
        Path name = source.toAbsolutePath().normalize().getFileName();
        return (name == null ? file.getFileName() : name).toString();
    }

    /** llama.h, {@code enum llama_ftype}: what most numbers are stored as. */
    private int fileType() {
        Map<String, Long> elements = new LinkedHashMap<>();
        slots.values().forEach(slot -> elements.merge(slot.format().id(), Tensor.elements(slot.shape()), Long::sum));
        String most = elements.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .orElseThrow()
                .getKey();
        return TensorFormat.of(most).flatMap(GgmlType::of).orElseThrow().fileType();
    }
}
