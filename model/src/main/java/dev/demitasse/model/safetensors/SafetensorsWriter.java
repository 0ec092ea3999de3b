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
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * Writes one safetensors file, tensor by tensor in any order, so that a model larger than memory can be written. The
 * file appears under its name only by {@link #commit}; closing without it leaves nothing behind, unless it is to be resumed.
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
        return begin(AtomicFile.create(path), slots, metadata);
    }

    /**
     * A file that a later process may go on with: until it is committed, what was written stays in {@code partial}. Of what is
     * there already, tensors count as written once they are {@linkplain #keep kept}; where another file was begun, none is.
     *
     * @param partial on the disk of {@code path}
     */
    public static SafetensorsWriter resume(
            Path path, Path partial, Map<String, Slot> slots, Map<String, String> metadata) throws IOException {
        return begin(AtomicFile.resume(path, partial), slots, metadata);
    }

    private static SafetensorsWriter begin(AtomicFile file, Map<String, Slot> slots, Map<String, String> metadata)
            throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter(file, new LinkedHashMap<>(slots));
        try {
            byte[] header = writer.layOut(metadata);
            if (!writer.begunWith(header)) {
                file.channel().truncate(0);
                writer.writeAll(ByteBuffer.wrap(header), 0);
            }
            return writer;
        } catch (Throwable e) {
            writer.close();
            throw e;
        }
    }

    private boolean begunWith(byte[] header) throws IOException {
        ByteBuffer there = ByteBuffer.allocate(header.length);
        return readAll(there, 0) && Arrays.equals(there.array(), header);
    }

    /** The file's start, after which each tensor's place is known. */
    private byte[] layOut(Map<String, String> metadata) throws IOException {
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
        start.putLong(padded).put(text);
        offsets.replaceAll((name, offset) -> offset + 8 + padded);
        return start.array();
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

    /** The tensors of which nothing is missing. */
    public Set<String> complete() {
        return missing.entrySet().stream()
                .filter(tensor -> tensor.getValue() == 0)
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    /** The CRC-32C of what the file holds of the tensor {@code name}. */
    public long checksum(String name) throws IOException {
        long bytes = bytes(name);
        CRC32C checksum = new CRC32C();
        ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK, bytes));
        for (long at = 0; at < bytes; at += chunk.capacity()) {
            chunk.clear().limit((int) Math.min(chunk.capacity(), bytes - at));
            readAll(chunk, offset(name) + at);
            checksum.update(chunk.flip());
        }
        return checksum.getValue();
    }

    /** Counts tensors as written if the file holds each with its {@link #checksum}, else none of them. */
    public boolean keep(Map<String, Long> checksums) throws IOException {
        for (Map.Entry<String, Long> tensor : checksums.entrySet()) {
            if (!slots.containsKey(tensor.getKey()) || checksum(tensor.getKey()) != tensor.getValue()) {
                return false;
            }
        }
        checksums.keySet().forEach(name -> missing.put(name, 0L));
        return true;
    }

    private long bytes(String name) {
        Slot slot = slot(name);
        return slot.format.bytes(Tensor.elements(slot.shape));
    }

    private long offset(String name) {
        return Optional.ofNullable(offsets.get(name))
                .orElseThrow(() -> new IllegalArgumentException("no slot for " + name));
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

    /** Fills {@code bytes} as far as the file goes; says whether it goes that far. */
    private boolean readAll(ByteBuffer bytes, long position) throws IOException {
        long at = position;
        while (bytes.hasRemaining()) {
            int read = file.channel().read(bytes, at);
            if (read < 0) {
                return false;
            }
            at += read;
        }
        return true;
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
