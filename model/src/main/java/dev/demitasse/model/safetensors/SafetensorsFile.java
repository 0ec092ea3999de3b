package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.files.TensorFile;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One safetensors file, mapped: an 8-byte header length, a JSON header, the tensors' bytes.
 * Format: github.com/huggingface/safetensors, README "Format". Every size is checked before the file is mapped.
 */
public final class SafetensorsFile implements TensorFile {
    private static final long MAXIMUM_HEADER = 100_000_000;
    private static final String ADVICE = "the download is probably incomplete; fetch it again";

    private final Path path;
    private final Arena arena;
    private final Map<String, String> metadata;
    private final Map<String, Tensor> tensors;

    private SafetensorsFile(Path path, Arena arena, Map<String, String> metadata, Map<String, Tensor> tensors) {
        this.path = path;
        this.arena = arena;
        this.metadata = metadata;
        this.tensors = tensors;
    }

    private record Entry(String name, TensorFormat format, long[] shape, long begin, long end) {}

    /**
     * @throws InvalidRequestException if there is no such file
     * @throws MalformedModelException if it is not a whole safetensors file
     */
    public static SafetensorsFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "check the name");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long length = channel.size();
            if (length < 8) {
                throw new MalformedModelException(
                        path, "holds %,d bytes, fewer than a header's 8".formatted(length), ADVICE);
            }
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, length, arena);
            long headerLength = file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
            if (headerLength < 2 || headerLength > Math.min(length - 8, MAXIMUM_HEADER)) {
                throw new MalformedModelException(
                        path,
                        "says its header takes %s bytes; there are %,d after its start"
                                .formatted(Long.toUnsignedString(headerLength), length - 8),
                        ADVICE);
            }
            byte[] header = file.asSlice(8, headerLength).toArray(ValueLayout.JAVA_BYTE);
            Map<String, String> metadata = new LinkedHashMap<>();
            List<Entry> entries = parse(path, header, metadata);
            MemorySegment data = file.asSlice(8 + headerLength);
            checkLayout(path, entries, data.byteSize());
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (Entry entry : entries) {
                tensors.put(
                        entry.name,
                        new Tensor(
                                entry.name,
                                entry.format,
                                entry.shape,
                                data.asSlice(entry.begin, entry.end - entry.begin)));
            }
            return new SafetensorsFile(path, arena, metadata, tensors);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private static List<Entry> parse(Path path, byte[] header, Map<String, String> metadata) {
        JsonNode root = JsonFile.parse(path, header, "header", Duplicates.REFUSED);
        JsonNode notes = root.path("__metadata__");
        if (!notes.isMissingNode() && !notes.isObject()) {
            throw new MalformedModelException(path, "its __metadata__ is no object of texts", ADVICE);
        }
        for (Map.Entry<String, JsonNode> pair : notes.properties()) {
            if (!pair.getValue().isTextual()) {
                throw new MalformedModelException(path, "its metadata '" + pair.getKey() + "' is no text", ADVICE);
            }
            metadata.put(pair.getKey(), pair.getValue().asText());
        }
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, JsonNode> pair : root.properties()) {
            if (!pair.getKey().equals("__metadata__")) {
                entries.add(entry(path, pair.getKey(), pair.getValue(), metadata));
            }
        }
        return entries;
    }

    private static Entry entry(Path path, String name, JsonNode node, Map<String, String> metadata) {
        JsonNode offsets = node.path("data_offsets");
        JsonNode dimensions = node.path("shape");
        if (name.isEmpty() || !dimensions.isArray() || !offsets.isArray() || offsets.size() != 2) {
            throw tensorError(path, name, "has no dtype, shape and data_offsets");
        }
        String dtype = node.path("dtype").asText();
        TensorFormat format = TensorFormat.of(dtype)
                .filter(ScalarFormat.class::isInstance)
                .orElseThrow(() -> tensorError(path, name, "has the unknown dtype '" + dtype + "'"));
        long[] shape = new long[dimensions.size()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = wholeNumber(path, name, dimensions.get(i));
        }
        long begin = wholeNumber(path, name, offsets.get(0));
        long end = wholeNumber(path, name, offsets.get(1));
        long bytes;
        try {
            // A block format's tensor lies in the file as bytes; the metadata tells which format it is.
            String blocks = metadata.get("format." + name);
            if (blocks != null) {
                format = blockFormat(path, name, format, shape, blocks);
                shape[1] = Math.multiplyExact(shape[1] / format.bytesPerBlock(), (long) format.blockSize());
            }
            bytes = format.bytes(Tensor.elements(shape));
        } catch (ArithmeticException e) {
            throw new MalformedModelException(path, "tensor '" + name + "' has a shape past 2^63 bytes", ADVICE, e);
        }
        if (end < begin || end - begin != bytes) {
            throw tensorError(
                    path, name, "takes bytes %,d to %,d, but its shape needs %,d".formatted(begin, end, bytes));
        }
        return new Entry(name, format, shape, begin, end);
    }

    private static TensorFormat blockFormat(Path path, String name, TensorFormat stored, long[] shape, String id) {
        TensorFormat format = TensorFormat.of(id)
                .filter(BlockFormat.class::isInstance)
                .orElseThrow(() -> tensorError(path, name, "has the unknown block format '" + id + "'"));
        if (stored != ScalarFormat.U8 || shape.length != 2 || shape[1] % format.bytesPerBlock() != 0) {
            throw tensorError(path, name, "is no U8 matrix of whole " + id + " blocks");
        }
        return format;
    }

    private static long wholeNumber(Path path, String name, JsonNode node) {
        if (!node.isIntegralNumber() || !node.canConvertToLong() || node.longValue() < 0) {
            throw tensorError(path, name, "has the impossible number " + node);
        }
        return node.longValue();
    }

    /** The tensors must cover the data exactly, without gaps or overlaps, as the format demands. */
    private static void checkLayout(Path path, List<Entry> entries, long length) {
        List<Entry> byOffset = new ArrayList<>(entries);
        byOffset.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long at = 0;
        for (Entry entry : byOffset) {
            if (entry.end > length) {
                throw tensorError(
                        path,
                        entry.name,
                        "ends at byte %,d of the data, the file has %,d".formatted(entry.end, length));
            }
            if (entry.begin != at) {
                throw tensorError(
                        path,
                        entry.name,
                        "starts at byte %,d of the data, the tensor before it ends at %,d".formatted(entry.begin, at));
            }
            at = entry.end;
        }
        if (at != length) {
            throw new MalformedModelException(
                    path, "its tensors end at byte %,d of the data, the file has %,d".formatted(at, length), ADVICE);
        }
    }

    private static MalformedModelException tensorError(Path path, String name, String problem) {
        return new MalformedModelException(path, "tensor '" + name + "' " + problem, ADVICE);
    }

    @Override
    public Path path() {
        return path;
    }

    /** The header's {@code __metadata__}. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** A tensor that must be there. */
    public Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new MalformedModelException(path, "has no tensor '" + name + "'", ADVICE);
        }
        return tensor;
    }

    @Override
    public void close() {
        arena.close();
    }
}
