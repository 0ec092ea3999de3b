package dev.demitasse.model.files;

import dev.demitasse.model.MalformedModelException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Walks the fields of one protobuf message in a mapped or read file (protobuf.dev, "Encoding"): bytes are not copied, so that a
 * message may be as long as a file. Every length is checked against what holds it.
 */
public final class ProtobufReader {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int LENGTH_DELIMITED = 2;
    private static final int FIXED32 = 5;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String ADVICE = "the download is probably incomplete; fetch it again";

    private final Path path;
    private final MemorySegment message;
    private long at;
    private int number;
    private int wireType;
    private boolean pending;

    public ProtobufReader(Path path, MemorySegment message) {
        this.path = path;
        this.message = message;
    }

    /** Goes to the next field, past the value of this one if it was not read; false at the message's end. */
    public boolean next() {
        if (pending) {
            skip();
        }
        if (at == message.byteSize()) {
            return false;
        }
        long tag = readVarint();
        number = (int) Math.min(Integer.MAX_VALUE, tag >>> 3);
        wireType = (int) (tag & 7);
        boolean known =
                wireType == VARINT || wireType == FIXED64 || wireType == LENGTH_DELIMITED || wireType == FIXED32;
        if (number == 0 || !known) {
            throw malformed("is no protobuf: field %d of wire type %d".formatted(number, wireType));
        }
        pending = true;
        return true;
    }

    /** The field's number. */
    public int number() {
        return number;
    }

    /** Whether the field is a message, text, bytes, or packed numbers. */
    public boolean delimited() {
        return wireType == LENGTH_DELIMITED;
    }

    /** The whole number that the field is. */
    public long varint() {
        require(VARINT);
        return readVarint();
    }

    /** The single-precision number that the field is. */
    public float float32() {
        require(FIXED32);
        requireLeft(4);
        float value = message.get(FLOAT, at);
        at += 4;
        return value;
    }

    /** The bytes that the field is. */
    public MemorySegment bytes() {
        require(LENGTH_DELIMITED);
        long length = readVarint();
        if (length < 0 || length > message.byteSize() - at) {
            throw malformed("field %d takes %s bytes, its message has %,d left"
                    .formatted(number, Long.toUnsignedString(length), message.byteSize() - at));
        }
        MemorySegment bytes = message.asSlice(at, length);
        at += length;
        return bytes;
    }

    /** The message that the field is. */
    public ProtobufReader message() {
        return new ProtobufReader(path, bytes());
    }

    /** The text that the field is, of at most {@code maximum} bytes. */
    public String text(int maximum) {
        MemorySegment bytes = bytes();
        if (bytes.byteSize() > maximum) {
            throw malformed("field %d is a text of %,d bytes".formatted(number, bytes.byteSize()));
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(bytes.asByteBuffer())
                    .toString();
        } catch (CharacterCodingException e) {
            throw new MalformedModelException(path, "field " + number + " is no UTF-8 text", ADVICE, e);
        }
    }

    /** Whether all was read; for packed numbers, which have no fields. */
    public boolean atEnd() {
        return at == message.byteSize();
    }

    /** A varint outside a field, as packed numbers are. */
    public long readVarint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (at == message.byteSize()) {
                throw malformed("ends inside a number");
            }
            byte next = message.get(ValueLayout.JAVA_BYTE, at++);
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw malformed("has a number of more than 64 bits");
    }

    private void skip() {
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> skip(8);
            case FIXED32 -> skip(4);
            default -> bytes();
        }
        pending = false;
    }

    private void skip(int bytes) {
        requireLeft(bytes);
        at += bytes;
    }

    private void requireLeft(int bytes) {
        if (bytes > message.byteSize() - at) {
            throw malformed("ends inside a number");
        }
    }

    private void require(int type) {
        if (wireType != type) {
            throw malformed("field %d has wire type %d, expected %d".formatted(number, wireType, type));
        }
        pending = false;
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, ADVICE);
    }
}
