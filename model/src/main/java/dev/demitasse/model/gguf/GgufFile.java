package dev.demitasse.model.gguf;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.TensorFormat;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One GGUF file of version 2 or 3, mapped: metadata, tensor descriptions, the tensors' bytes.
 * Format: github.com/ggml-org/ggml, docs/gguf.md. Every count, length and offset is checked before it is used.
 */
public final class GgufFile implements AutoCloseable {
    private static final int MAGIC = 0x46554747; // "GGUF"
    private static final int MINIMUM_PAIR = 13;
    private static final int MINIMUM_TENSOR = 24;
    private static final int MAXIMUM_DIMENSIONS = 4;
    private static final long MAXIMUM_ALIGNMENT = 1 << 24;

    private final Path path;
    private final Arena arena;
    private final int version;
    private final GgufMetadata metadata;
    private final Map<String, Entry> tensors;
    private final MemorySegment data;

    private GgufFile(
            Path path,
            Arena arena,
            int version,
            GgufMetadata metadata,
            Map<String, Entry> tensors,
            MemorySegment data) {
        this.path = path;
        this.arena = arena;
        this.version = version;
        this.metadata = metadata;
        this.tensors = tensors;
        this.data = data;
    }

    /**
     * What the file says of a tensor.
     *
     * @param typeId ggml's number of its type
     * @param shape outermost dimension first, the reverse of the file's order
     * @param offset from the start of the data
     */
    public record Entry(String name, int typeId, List<Long> shape, long offset) {
        public Entry {
            shape = List.copyOf(shape);
        }

        /** The type, if Demitasse knows it by name. */
        public Optional<GgmlType> type() {
            return GgmlType.of(typeId);
        }

        /** The name of the type, or its number. */
        public String typeName() {
            return type().map(GgmlType::name).orElse("ggml type " + Integer.toUnsignedString(typeId));
        }

        private long[] dimensions() {
            return shape.stream().mapToLong(Long::longValue).toArray();
        }
    }

    /**
     * @throws InvalidRequestException if there is no such file
     * @throws MalformedModelException if it is not a whole GGUF file
     */
    public static GgufFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "check the name");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            GgufCursor cursor = new GgufCursor(path, file);
            int version = version(cursor);
            long tensorCount = cursor.count(MINIMUM_TENSOR, "tensors");
            long pairCount = cursor.count(MINIMUM_PAIR, "metadata pairs");
            GgufMetadata metadata = new GgufMetadata(path, pairs(cursor, pairCount));
            Map<String, Entry> tensors = entries(cursor, tensorCount);
            long start = align(cursor.position(), alignment(metadata));
            if (!tensors.isEmpty() && start > file.byteSize()) {
                throw cursor.malformed(
                        "its tensors should start at byte %,d, the file has %,d".formatted(start, file.byteSize()));
            }
            MemorySegment data = file.asSlice(Math.min(start, file.byteSize()));
            checkLayout(cursor, tensors, alignment(metadata), data.byteSize());
            return new GgufFile(path, arena, version, metadata, tensors, data);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /** Whether {@code path}, a file, begins as GGUF files do. */
    static boolean hasMagic(Path path) throws IOException {
        try (InputStream in = Files.newInputStream(path)) {
            return Arrays.equals(in.readNBytes(4), "GGUF".getBytes(StandardCharsets.US_ASCII));
        }
    }

    private static int version(GgufCursor cursor) {
        if (cursor.int32("the magic number") != MAGIC) {
            throw cursor.malformed("does not start with 'GGUF'");
        }
        int version = cursor.int32("the version");
        if (version == 2 || version == 3) {
            return version;
        }
        if (Integer.reverseBytes(version) == 3) {
            throw cursor.malformed("is big-endian; Demitasse reads little-endian files");
        }
        throw cursor.malformed(
                "is of version %s; Demitasse reads 2 and 3".formatted(Integer.toUnsignedString(version)));
    }

    private static Map<String, Object> pairs(GgufCursor cursor, long count) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String key = cursor.name("the key of metadata pair " + i);
            if (values.put(key, cursor.value(cursor.valueType(key), key)) != null) {
                throw cursor.malformed("has the metadata '" + key + "' twice");
            }
        }
        return values;
    }

    private static Map<String, Entry> entries(GgufCursor cursor, long count) {
        Map<String, Entry> entries = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String name = cursor.name("the name of tensor " + i);
            int rank = cursor.int32("the rank of '" + name + "'");
            if (rank < 1 || rank > MAXIMUM_DIMENSIONS) {
                throw cursor.malformed("tensor '%s' has %s dimensions".formatted(name, Integer.toUnsignedString(rank)));
            }
            List<Long> shape = new ArrayList<>();
            for (int d = 0; d < rank; d++) {
                long size = cursor.int64("the shape of '" + name + "'");
                if (size < 1) {
                    throw cursor.malformed(
                            "tensor '%s' has a dimension of size %s".formatted(name, Long.toUnsignedString(size)));
                }
                shape.addFirst(size);
            }
            int type = cursor.int32("the type of '" + name + "'");
            long offset = cursor.int64("the offset of '" + name + "'");
            if (name.isEmpty() || entries.put(name, new Entry(name, type, shape, offset)) != null) {
                throw cursor.malformed("has two tensors, or one without a name, as '" + name + "'");
            }
        }
        return entries;
    }

    private static long alignment(GgufMetadata metadata) {
        long alignment = metadata.size("general.alignment", 32);
        if (Long.bitCount(alignment) != 1 || alignment > MAXIMUM_ALIGNMENT) {
            throw metadata.malformed("general.alignment", "must be a power of 2 up to 2^24, is " + alignment);
        }
        return alignment;
    }

    private static long align(long position, long alignment) {
        return Math.multiplyExact(Math.ceilDiv(position, alignment), alignment);
    }

    /** Every tensor lies in the data, at its alignment, apart from the others. Of unknown types only the start is known. */
    private static void checkLayout(GgufCursor cursor, Map<String, Entry> entries, long alignment, long length) {
        List<Entry> byOffset = new ArrayList<>(entries.values());
        byOffset.sort(Comparator.comparingLong(Entry::offset));
        long free = 0;
        for (Entry entry : byOffset) {
            long end;
            try {
                end = Math.addExact(entry.offset, bytes(cursor, entry));
            } catch (ArithmeticException e) {
                throw cursor.malformed(
                        "tensor '%s' with shape %s ends past byte 2^63".formatted(entry.name, entry.shape));
            }
            if (entry.offset < 0 || end > length) {
                throw cursor.malformed("tensor '%s' ends at byte %s of the data, the file has %,d"
                        .formatted(entry.name, Long.toUnsignedString(end), length));
            }
            if (entry.offset % alignment != 0) {
                throw cursor.malformed("tensor '%s' starts at byte %,d of the data, no multiple of the alignment %d"
                        .formatted(entry.name, entry.offset, alignment));
            }
            if (entry.offset < free) {
                throw cursor.malformed("tensor '%s' starts at byte %,d of the data, the one before it ends at %,d"
                        .formatted(entry.name, entry.offset, free));
            }
            free = end;
        }
    }

    /** Bytes that the tensor takes; 1 where its type's layout is unknown. */
    private static long bytes(GgufCursor cursor, Entry entry) {
        long elements = Tensor.elements(entry.dimensions());
        Optional<TensorFormat> format = entry.type().flatMap(GgmlType::format);
        if (format.isEmpty()) {
            return 1;
        }
        if (!format.get().fits(entry.shape.getLast())) {
            throw cursor.malformed("tensor '%s' has rows of %,d elements, no whole blocks of %s"
                    .formatted(entry.name, entry.shape.getLast(), entry.typeName()));
        }
        return format.get().bytes(elements);
    }

    public Path path() {
        return path;
    }

    public int version() {
        return version;
    }

    public GgufMetadata metadata() {
        return metadata;
    }

    /** What the file says of its tensors, by name, in the file's order. */
    public Map<String, Entry> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /**
     * A view of a tensor.
     *
     * @throws MalformedModelException if there is none of that name
     * @throws InvalidRequestException if its type is one that Demitasse does not read
     */
    public Tensor tensor(String name) {
        Entry entry = tensors.get(name);
        if (entry == null) {
            throw new MalformedModelException(path, "has no tensor '" + name + "'", "fetch the whole model");
        }
        TensorFormat format = entry.type()
                .flatMap(GgmlType::format)
                .orElseThrow(() -> new InvalidRequestException(
                        path,
                        "tensor '%s' is of type %s, which Demitasse does not read".formatted(name, entry.typeName()),
                        "take a file of type " + GgmlType.readable()));
        long[] shape = entry.dimensions();
        return new Tensor(name, format, shape, data.asSlice(entry.offset, format.bytes(Tensor.elements(shape))));
    }

    @Override
    public void close() {
        arena.close();
    }
}
