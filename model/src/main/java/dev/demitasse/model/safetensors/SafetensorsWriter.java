package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Writes one safetensors file, tensor by tensor in any order, so that a model larger than memory can be written. The
 * file appears under its name only by {@link #commit}; closing without it leaves nothing behind.
 */
public final class SafetensorsWriter implements AutoCloseable {
    private static final int CHUNK = 1 << 26;

    /** What a tensor will be: enough to lay out the file before its bytes are known. */
    public record Slot(TensorFormat format, long[] shape) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Slot slot && format.equals(slot.format) && Arrays.equals(shape, slot.shape);
        }

        @Override
        public int hashCode() {
            return 31 * format.hashCode() + Arrays.hashCode(shape);
        }
    }

    private final AtomicFile file;
    private final Map<String, Slot> slots;
    private final Map<String, Long> offsets = new HashMap<>();
    /** Bytes that are still to come, by tensor. */
    private final Map<String, Long> missing = new HashMap<>();

    private SafetensorsWriter(AtomicFile file, Map<String, Slot> slots) {
        this.file = file;
        this.slots = slots;
    }

    /**
     * @param slots every tensor that will be written, in file order
     * @param metadata goes into the header's {@code __metadata__}
     */
    public static SafetensorsWriter create(Path path, Map<String, Slot> slots, Map<String, String> metadata)
            throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter(AtomicFile.create(path), new LinkedHashMap<>(slots));
        try {
            writer.writeHeader(metadata);
            return writer;
        } catch (Throwable e) {
            writer.close();
            throw e;
        }
    }

    private void writeHeader(Map<String, String> metadata) throws IOException {
        ObjectNode header = JsonNodeFactory.instance.objectNode();
        ObjectNode notes = JsonNodeFactory.instance.objectNode();
        metadata.forEach(notes::put);
        header.set("__metadata__", notes);
        long at = 0;
        for (Map.Entry<String, Slot> slot : slots.entrySet()) {
            TensorFormat format = slot.getValue().format;
            long[] shape = slot.getValue().shape.clone();
            long end = at + format.bytes(Tensor.elements(shape));
            String dtype = format.id().toUpperCase(Locale.ROOT);
            if (format instanceof BlockFormat) {
                int last = shape.length - 1;
                shape[last] = format.bytes(shape[last]);
                dtype = ScalarFormat.U8.name();
                notes.put("format." + slot.getKey(), format.id());
            }
            ObjectNode entry = header.putObject(slot.getKey()).put("dtype", dtype);
            Arrays.stream(shape).forEach(entry.putArray("shape")::add);
            entry.putArray("data_offsets").add(at).add(end);
            offsets.put(slot.getKey(), at);
            missing.put(slot.getKey(), end - at);
            at = end;
        }
        byte[] json = new ObjectMapper().writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
        int padded = Math.ceilDiv(json.length, 8) * 8;
        byte[] text = Arrays.copyOf(json, padded);
        Arrays.fill(text, json.length, padded, (byte) ' ');
        ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        start.putLong(padded).put(text).flip();
        writeAll(start, 0);
        offsets.replaceAll((name, offset) -> offset + 8 + padded);
    }

    /** Writes {@code tensor} into the slot of its name, in the slot's format. */
    public void write(String name, Tensor tensor) throws IOException {
        Slot slot = slots.get(name);
        if (slot == null || !Arrays.equals(slot.shape, tensor.shape())) {
            throw new IllegalArgumentException("no slot for " + name + " " + tensor);
        }
        write(name, 0, tensor.to(slot.format).data());
    }

    /** Writes {@code bytes} of the tensor {@code name}, in its slot's format, from its byte {@code from}. */
    public void write(String name, long from, MemorySegment bytes) throws IOException {
        Long offset = offsets.get(name);
        long left = missing.getOrDefault(name, 0L) - bytes.byteSize();
        if (offset == null || left < 0) {
            throw new IllegalStateException("no slot for %s, or written twice".formatted(name));
        }
        for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
            long size = Math.min(CHUNK, bytes.byteSize() - at);
            writeAll(bytes.asSlice(at, size).asByteBuffer(), offset + from + at);
        }
        missing.put(name, left);
    }

    /** What a tensor of the file will be. */
    public Slot slot(String name) {
        Slot slot = slots.get(name);
        if (slot == null) {
            throw new IllegalArgumentException("no slot for " + name);
        }
        return slot;
    }

    private void writeAll(ByteBuffer bytes, long position) throws IOException {
        FileChannel channel = file.channel();
        long at = position;
        while (bytes.hasRemaining()) {
            at += channel.write(bytes, at);
        }
    }

    /** Puts the finished file in its place. */
    public void commit() throws IOException {
        missing.values().removeIf(bytes -> bytes == 0);
        if (!missing.isEmpty()) {
            throw new IllegalStateException("tensors not written: " + missing.keySet());
        }
        file.commit();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
