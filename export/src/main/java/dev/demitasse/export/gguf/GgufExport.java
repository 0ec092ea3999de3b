package dev.demitasse.export.gguf;

import dev.demitasse.export.ExportReport;
import dev.demitasse.export.gguf.GgufWriter.Slot;
import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgufCheckpoint;
import dev.demitasse.model.gguf.GgufTokenizer;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
    private final Map<TensorKey, Slot> slots = new LinkedHashMap<>();

    private GgufExport(Checkpoint source, GgufOptions options) {
        this.source = source;
        this.config = source.config();
        this.options = options;
    }

    /**
     * Writes {@code file}.
     *
     * @throws dev.demitasse.model.InvalidRequestException if tokenizer and model do not fit each other
     */
    public static ExportReport write(Checkpoint source, GgufOptions options, Path file, Progress progress)
            throws IOException {
        return new GgufExport(source, options).write(file, progress);
    }

    private ExportReport write(Path file, Progress progress) throws IOException {
        for (TensorKey key : config.tensors()) {
            slots.put(key, new Slot(format(key), config.shape(key)));
        }
        Map<String, Slot> named = new LinkedHashMap<>();
        slots.forEach((key, slot) -> named.put(name(key), slot));
        float[] factors = frequencyFactors();
        if (factors.length > 0) {
            named.put(GgufCheckpoint.FREQUENCY_FACTORS, new Slot(ScalarFormat.F32, new long[] {factors.length}));
        }
        progress.begin("writing GGUF", slots.size(), "tensors");
        try (GgufWriter writer = GgufWriter.create(file, metadata(file), named)) {
            for (Map.Entry<TensorKey, Slot> slot : slots.entrySet()) {
                write(writer, slot.getKey(), slot.getValue().format());
                progress.advance(1);
            }
            if (factors.length > 0) {
                Tensor tensor = Tensor.ofFloats(GgufCheckpoint.FREQUENCY_FACTORS, factors, factors.length);
                writer.write(tensor.name(), 0, tensor.data());
            }
            writer.commit();
        }
        progress.end();
        named.forEach((name, slot) -> report.stored(name, slot.format().id()));
        return report.build(List.of(file.toAbsolutePath()), Files.size(file));
    }

    private String name(TensorKey key) {
        return config.family().names().gguf(key);
    }

    /** What the tensor is stored as; notes where that is not what was asked. */
    private TensorFormat format(TensorKey key) {
        if (!key.role().matrix() || key.part() == Part.BIAS) {
            return ScalarFormat.F32;
        }
        TensorFormat stored = source.tensor(key).format();
        TensorFormat wanted = options.format().orElse(natural(stored));
        if (wanted instanceof BlockFormat && stored instanceof BlockFormat && !stored.equals(wanted)) {
            report.changed(name(key), stored.id(), stored.id(), "kept, as it was quantized into this format already");
            return stored;
        }
        if (!wanted.fits(config.columns(key.role()))) {
            report.changed(
                    name(key),
                    stored.id(),
                    ScalarFormat.F16.id(),
                    "%d columns are no whole %s blocks of %d"
                            .formatted(config.columns(key.role()), wanted.id(), wanted.blockSize()));
            return ScalarFormat.F16;
        }
        if (stored == ScalarFormat.I8) {
            report.changed(name(key), stored.id(), wanted.id(), "GGUF has no scales by row: rounded again");
        }
        return wanted;
    }

    /** The format of a GGUF file nearest to what the checkpoint has. */
    private static TensorFormat natural(TensorFormat stored) {
        return switch (stored) {
            case BlockFormat block -> block;
            case ScalarFormat scalar ->
                switch (scalar) {
                    case F32, F16, BF16 -> scalar;
                    case I8 -> new Q8_0();
                    case F64, I64, I32, I16, U8, BOOL -> ScalarFormat.F32;
                };
        };
    }

    private void write(GgufWriter writer, TensorKey key, TensorFormat format) throws IOException {
        SourceTensor tensor = SourceTensor.of(source, key, Pairing.INTERLEAVED);
        long rowBytes = format.bytes(tensor.columns());
        int rowsAtATime = Math.clamp(CHUNK_BYTES / rowBytes, 1, tensor.rows());
        MemorySegment chunk = MemorySegment.ofArray(new byte[Math.toIntExact(rowsAtATime * rowBytes)]);
        float[] row = new float[tensor.columns()];
        for (int from = 0; from < tensor.rows(); from += rowsAtATime) {
            int count = Math.min(rowsAtATime, tensor.rows() - from);
            for (int i = 0; i < count; i++) {
                if (tensor.format().equals(format)) {
                    MemorySegment.copy(tensor.rowBytes(from + i), 0, chunk, i * rowBytes, rowBytes);
                } else {
                    tensor.readRow(from + i, row);
                    format.encode(row, 0, row.length, chunk, i * rowBytes);
                }
            }
            writer.write(name(key), from * rowBytes, chunk.asSlice(0, count * rowBytes));
        }
    }

    /** Scalings that llama.cpp has no metadata for are divisors of the frequencies. */
    private float[] frequencyFactors() {
        if (!(config.positions() instanceof Rotary rotary)) {
            return new float[0];
        }
        return switch (rotary.scaling()) {
            case RopeScaling.None none -> new float[0];
            case RopeScaling.Linear linear -> new float[0];
            case RopeScaling.Llama3 llama3 -> floats(rotary.factors());
            case RopeScaling.Factors list -> floats(rotary.factors());
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
        metadata.put("general.architecture", config.family().ggufArchitecture());
        metadata.put("general.name", options.name().orElseGet(() -> baseName(source.path(), file)));
        metadata.put("general.alignment", GgufWriter.ALIGNMENT);
        metadata.put("general.quantization_version", QUANTIZATION_VERSION);
        metadata.put("general.file_type", fileType());
        metadata.putAll(config.family().writeGguf(config));
        if (config.attention().slidingWindow() < config.maximumPositions()) {
            report.note("llama.cpp lets this architecture's tokens see all before them, not only the last %d"
                    .formatted(config.attention().slidingWindow()));
        }
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
        return switch (TensorFormat.of(most).orElseThrow()) {
            case Q4_0 q4 -> 2;
            case Q8_0 q8 -> 7;
            case ScalarFormat scalar ->
                switch (scalar) {
                    case F16 -> 1;
                    case BF16 -> 32;
                    case F32, F64, I64, I32, I16, I8, U8, BOOL -> 0;
                };
        };
    }
}
