package dev.demitasse.model.gguf;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.format.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a GGUF file of version 3 (github.com/ggml-org/ggml, docs/gguf.md), little-endian: header, metadata, tensor
 * infos, then the tensors' bytes, each at a multiple of the alignment. Tensors may be written in any order, a row or more
 * at a time; the file appears by {@link #commit}.
 */
public final class GgufWriter implements AutoCloseable {
    /** Where tensors begin in a file that says nothing of it. */
    public static final int ALIGNMENT = 32;

    private static final int VERSION = 3;
    private static final int UINT8 = 0;
    private static final int UINT32 = 4;
    private static final int INT32 = 5;
    private static final int FLOAT32 = 6;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    /** What a tensor will be. */
    public record Slot(TensorFormat format, long[] shape) {
        long bytes() {
            return format.bytes(Tensor.elements(shape));
        }
    }

    private final AtomicFile file;
    private final Map<String, Slot> slots;
    private final Map<String, Long> offsets = new HashMap<>();

    private GgufWriter(AtomicFile file, Map<String, Slot> slots) {
        this.file = file;
        this.slots = slots;
    }

    /**
     * @param metadata Integer (stored as uint32), Float, Boolean, String, and lists of Integer (stored as int32), Byte,
     *     Float or String
     * @param slots every tensor that will be written, in file order
     */
    public static GgufWriter create(Path path, Map<String, Object> metadata, Map<String, Slot> slots)
            throws IOException {
        GgufWriter writer = new GgufWriter(AtomicFile.create(path), new LinkedHashMap<>(slots));
        try {
            writer.writeHeader(metadata);
            return writer;
        } catch (Throwable e) {
            writer.close();
            throw e;
        }
    }

    private void writeHeader(Map<String, Object> metadata) throws IOException {
        Bytes header = new Bytes();
        header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        header.int32(VERSION);
        header.int64(slots.size());
        header.int64(metadata.size());
        metadata.forEach((key, value) -> {
            header.text(key);
            header.value(key, value);
        });
        long at = 0;
        for (Map.Entry<String, Slot> entry : slots.entrySet()) {
            Slot slot = entry.getValue();
            header.text(entry.getKey());
            header.int32(slot.shape.length);
            // ggml counts dimensions from the contiguous one.
            for (int i = slot.shape.length - 1; i >= 0; i--) {
                header.int64(slot.shape[i]);
            }
            header.int32(GgmlType.of(slot.format).orElseThrow().id());
            header.int64(at);
            offsets.put(entry.getKey(), at);
            at = aligned(Math.addExact(at, slot.bytes()));
        }
        long start = aligned(header.size());
        offsets.replaceAll((name, offset) -> start + offset);
        writeAll(ByteBuffer.wrap(header.toByteArray()), 0);
        // The space after the last tensor belongs to the file; gaps between are zeros.
        writeAll(ByteBuffer.wrap(new byte[1]), Math.max(start, start + at - 1));
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    /** Writes {@code bytes} of the tensor {@code name}, from its byte {@code at}. */
    public void write(String name, long at, MemorySegment bytes) throws IOException {
        Slot slot = slots.get(name);
        Long offset = offsets.get(name);
        if (slot == null || offset == null || at + bytes.byteSize() > slot.bytes()) {
            throw new IllegalArgumentException("no room for %,d bytes of %s".formatted(bytes.byteSize(), name));
        }
        writeAll(bytes.asByteBuffer(), offset + at);
    }

    private void writeAll(ByteBuffer bytes, long position) throws IOException {
        FileChannel channel = file.channel();
        long at = position;
        while (bytes.hasRemaining()) {
            at += channel.write(bytes, at);
        }
    }

    /** Makes the file appear; every tensor must have been written. */
    public void commit() throws IOException {
        file.commit();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    /** The header as it grows. */
    private static final class Bytes extends ByteArrayOutputStream {
        void int32(int value) {
            writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(value)
                    .array());
        }

        void int64(long value) {
            writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(value)
                    .array());
        }

        void text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            int64(bytes.length);
            writeBytes(bytes);
        }

        void value(String key, Object value) {
            switch (value) {
                case Integer number -> {
                    int32(UINT32);
                    int32(number);
                }
                case Float number -> {
                    int32(FLOAT32);
                    int32(Float.floatToIntBits(number));
                }
                case Boolean flag -> {
                    int32(BOOL);
                    write(flag ? 1 : 0);
                }
                case String text -> {
                    int32(STRING);
                    text(text);
                }
                case List<?> list -> {
                    int32(ARRAY);
                    int32(elementType(key, list));
                    int64(list.size());
                    list.forEach(this::element);
                }
                default -> throw new IllegalArgumentException(key + " is a " + value.getClass());
            }
        }

        /** An empty array counts as one of strings. */
        private static int elementType(String key, List<?> list) {
            Object first = list.isEmpty() ? "" : list.getFirst();
            return switch (first) {
                case Integer number -> INT32;
                case Byte number -> UINT8;
                case Float number -> FLOAT32;
                case Boolean flag -> BOOL;
                case String text -> STRING;
                default -> throw new IllegalArgumentException(key + " is a list of " + first.getClass());
            };
        }

        private void element(Object element) {
            switch (element) {
                case Integer number -> int32(number);
                case Byte number -> write(number);
                case Float number -> int32(Float.floatToIntBits(number));
                case Boolean flag -> write(flag ? 1 : 0);
                case Object text -> text((String) text);
            }
        }
    }
}
