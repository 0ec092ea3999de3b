package dev.demitasse.infer.evaluate;

import dev.demitasse.model.MalformedModelException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * The beginning of a file of kept predictions: a mark, a version, the shape as seven ints, the two texts, each an int of its
 * bytes and those, nothing up to a multiple of eight.
 *
 * @param model whose predictions they are
 * @param data {@link Protocol#fingerprint} of the text they are of
 * @param shape of the rows that follow
 */
record KeptHeader(String model, String data, KeptShape shape) {
    private static final long MARK = 0x5450454b494d4544L; // "DEMIKEPT"
    private static final int VERSION = 1;
    private static final int MAXIMUM_TEXT = 1 << 16;
    private static final int MAXIMUM_VOCABULARY = 1 << 24;
    private static final int FIXED = Long.BYTES + 8 * Integer.BYTES;
    private static final long CHECKED_AT_ONCE = 1 << 28;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Bytes of the checksum at the end of the file. */
    static final int TRAILER = Long.BYTES;

    /** Where the rows begin. */
    long bytes() {
        long texts =
                texts().stream().mapToLong(text -> Integer.BYTES + text.length).sum();
        return Math.ceilDiv(FIXED + texts, Long.BYTES) * Long.BYTES;
    }

    private List<byte[]> texts() {
        return List.of(utf8(model), utf8(data));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    ByteBuffer write() {
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(bytes())).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(MARK).putInt(VERSION);
        buffer.putInt(shape.vocabulary()).putInt(shape.windows()).putInt(shape.length());
        buffer.putInt(shape.firstScored());
        buffer.putInt(shape.keeping().top()).putInt(shape.keeping().samples());
        buffer.putInt(0);
        texts().forEach(text -> buffer.putInt(text.length).put(text));
        return buffer.rewind();
    }

    /**
     * Reads the header of the file {@code whole} and checks the rest of it.
     *
     * @throws MalformedModelException if anything about it is wrong
     */
    static KeptHeader read(Path path, MemorySegment whole) {
        long available = Math.min(whole.byteSize(), FIXED + 2L * (Integer.BYTES + MAXIMUM_TEXT));
        ByteBuffer start = whole.asSlice(0, available).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        if (available < FIXED || start.getLong() != MARK) {
            throw malformed(path, "holds no kept predictions");
        }
        int version = start.getInt();
        if (version != VERSION) {
            throw malformed(path, "is of version %d, expected %d".formatted(version, VERSION));
        }
        KeptShape shape = readShape(path, start);
        start.getInt();
        KeptHeader header = new KeptHeader(readText(path, start), readText(path, start), shape);
        header.check(path, whole);
        return header;
    }

    private static KeptShape readShape(Path path, ByteBuffer start) {
        int vocabulary = start.getInt();
        int windows = start.getInt();
        int length = start.getInt();
        int firstScored = start.getInt();
        int top = start.getInt();
        int samples = start.getInt();
        boolean whole = top == 0 && samples == 0;
        if (vocabulary < 1
                || vocabulary > MAXIMUM_VOCABULARY
                || windows < 1
                || firstScored < 1
                || length <= firstScored
                || !whole && (top < 1 || top > vocabulary || samples < 2 || samples > vocabulary)) {
            throw malformed(path, "has an impossible shape");
        }
        return new KeptShape(vocabulary, windows, length, firstScored, new Keeping(top, samples));
    }

    private static String readText(Path path, ByteBuffer start) {
        int length = start.remaining() < Integer.BYTES ? -1 : start.getInt();
        if (length < 0 || length > Math.min(MAXIMUM_TEXT, start.remaining())) {
            throw malformed(path, "has a header that ends too soon");
        }
        byte[] text = new byte[length];
        start.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }

    private void check(Path path, MemorySegment whole) {
        long expected;
        try {
            expected = Math.addExact(Math.addExact(bytes(), shape.bytes()), TRAILER);
        } catch (ArithmeticException e) {
            throw new MalformedModelException(path, "has a shape past 2^63 bytes", "keep the predictions anew", e);
        }
        if (whole.byteSize() != expected) {
            throw malformed(path, "has %,d bytes, its shape needs %,d".formatted(whole.byteSize(), expected));
        }
        CRC32C checksum = new CRC32C();
        long end = expected - TRAILER;
        for (long at = 0; at < end; at += CHECKED_AT_ONCE) {
            checksum.update(
                    whole.asSlice(at, Math.min(CHECKED_AT_ONCE, end - at)).asByteBuffer());
        }
        if (whole.get(LONG, end) != checksum.getValue()) {
            throw malformed(path, "is damaged: its checksum does not fit");
        }
    }

    private static MalformedModelException malformed(Path path, String problem) {
        return new MalformedModelException(path, problem, "delete it and keep the reference's predictions anew");
    }
}
