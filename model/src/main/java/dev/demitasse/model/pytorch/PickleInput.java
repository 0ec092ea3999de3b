package dev.demitasse.model.pytorch;

import dev.demitasse.model.MalformedModelException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The arguments of a pickle's opcodes; past its end is a {@link BufferUnderflowException}. */
final class PickleInput {
    private static final int MAXIMUM_LINE = 200;

    private final Path path;
    private final ByteBuffer bytes;

    /** @param bytes little-endian */
    PickleInput(Path path, ByteBuffer bytes) {
        this.path = path;
        this.bytes = bytes;
    }

    int uint8() {
        return bytes.get() & 0xff;
    }

    int uint16() {
        return bytes.getShort() & 0xffff;
    }

    int int32() {
        return bytes.getInt();
    }

    void skip(int count) {
        take(count);
    }

    /** A count, then that many bytes of a little-endian two's complement number. */
    long long1() {
        int count = uint8();
        if (count > Long.BYTES) {
            throw malformed("has a whole number of %d bytes".formatted(count));
        }
        long value = 0;
        for (int i = 0; i < count; i++) {
            value |= (long) uint8() << 8 * i;
        }
        int unused = Long.SIZE - 8 * count;
        return count == 0 ? 0 : value << unused >> unused;
    }

    /** A count, then that many bytes of UTF-8. */
    String text() {
        int count = int32();
        if (count < 0) {
            throw malformed("has a text of %s bytes".formatted(Integer.toUnsignedString(count)));
        }
        return decode(take(count));
    }

    /** Up to the end of the line. */
    String line() {
        int start = bytes.position();
        for (int length = 0; length < MAXIMUM_LINE; length++) {
            if (bytes.get() == '\n') {
                return decode(bytes.slice(start, length));
            }
        }
        throw malformed("asks for a name of over %d bytes".formatted(MAXIMUM_LINE));
    }

    private ByteBuffer take(int count) {
        if (count > bytes.remaining()) {
            throw new BufferUnderflowException();
        }
        ByteBuffer taken = bytes.slice(bytes.position(), count);
        bytes.position(bytes.position() + count);
        return taken;
    }

    private String decode(ByteBuffer text) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(text).toString();
        } catch (CharacterCodingException e) {
            throw new MalformedModelException(path, "its pickle has a name that is no UTF-8", "fetch it again", e);
        }
    }

    MalformedModelException malformed(String problem) {
        return new MalformedModelException(
                path, "its pickle " + problem, "the file is damaged or was not written by torch.save; fetch it again");
    }
}
