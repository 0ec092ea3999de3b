package dev.demitasse.model.gguf;

import dev.demitasse.model.MalformedModelException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads a GGUF header from front to back; nothing is read or allocated before it is known to be in the file. */
final class GgufCursor {
    private static final String ADVICE = "the download is probably incomplete; fetch it again";
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAXIMUM_NAME = 1 << 16;
    private static final int MAXIMUM_TEXT = 1 << 28;
    /** Array elements of all keys together: a vocabulary has tokens, scores, types and merges, each below a million. */
    private static final long MAXIMUM_ELEMENTS = 1 << 24;

    /** Value types of metadata, by their number in the file; {@code bytes} is the least that a value takes. */
    enum ValueType {
        UINT8(1),
        INT8(1),
        UINT16(2),
        INT16(2),
        UINT32(4),
        INT32(4),
        FLOAT32(4),
        BOOL(1),
        STRING(8),
        ARRAY(12),
        UINT64(8),
        INT64(8),
        FLOAT64(8);

        private final int bytes;

        ValueType(int bytes) {
            this.bytes = bytes;
        }
    }

    private final Path path;
    private final MemorySegment file;
    private long position;
    private long elements;

    GgufCursor(Path path, MemorySegment file) {
        this.path = path;
        this.file = file;
    }

    long position() {
        return position;
    }

    /** Moves over {@code bytes} that must be in the file; gives where they start. */
    private long advance(long bytes, String what) {
        if (bytes < 0 || bytes > file.byteSize() - position) {
            throw new MalformedModelException(
                    path,
                    "%s at byte %,d takes %s bytes, the file ends at %,d"
                            .formatted(what, position, Long.toUnsignedString(bytes), file.byteSize()),
                    ADVICE);
        }
        long start = position;
        position += bytes;
        return start;
    }

    int int32(String what) {
        return file.get(INT, advance(4, what));
    }

    long int64(String what) {
        return file.get(LONG, advance(8, what));
    }

    /** A count of things that take at least {@code bytesEach}. */
    long count(int bytesEach, String what) {
        long count = int64(what);
        if (count < 0 || count > (file.byteSize() - position) / bytesEach) {
            throw new MalformedModelException(
                    path,
                    "says there are %s %s; the %,d bytes after it cannot hold them"
                            .formatted(Long.toUnsignedString(count), what, file.byteSize() - position),
                    ADVICE);
        }
        return count;
    }

    String text(String what) {
        long length = int64("the length of " + what);
        if (length > MAXIMUM_TEXT) {
            throw malformed("%s is %,d bytes long, over 256 MB".formatted(what, length));
        }
        long start = advance(length, what);
        return new String(file.asSlice(start, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    /** A text that others refer to, so that it must be one; tokens need not be. */
    String name(String what) {
        long length = int64("the length of " + what);
        if (length > MAXIMUM_NAME) {
            throw malformed("%s is %,d bytes long, over %,d".formatted(what, length, MAXIMUM_NAME));
        }
        long start = advance(length, what);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(file.asSlice(start, length).asByteBuffer())
                    .toString();
        } catch (CharacterCodingException e) {
            throw malformed(what + " is no UTF-8 text");
        }
    }

    ValueType valueType(String key) {
        int id = int32("the type of '" + key + "'");
        if (id < 0 || id >= ValueType.values().length) {
            throw malformed("metadata '%s' has the unknown type %s".formatted(key, Integer.toUnsignedString(id)));
        }
        return ValueType.values()[id];
    }

    /** A metadata value as {@link GgufMetadata} holds it. */
    Object value(ValueType type, String key) {
        String what = "metadata '" + key + "'";
        return switch (type) {
            case UINT8 -> file.get(ValueLayout.JAVA_BYTE, advance(1, what)) & 0xffL;
            case INT8 -> (long) file.get(ValueLayout.JAVA_BYTE, advance(1, what));
            case UINT16 -> file.get(SHORT, advance(2, what)) & 0xffffL;
            case INT16 -> (long) file.get(SHORT, advance(2, what));
            case UINT32 -> Integer.toUnsignedLong(int32(what));
            case INT32 -> (long) int32(what);
            // By its shortest decimal, so that the 1e-5 that somebody wrote as a float is read as 1e-5.
            case FLOAT32 -> Double.valueOf(Float.toString(Float.intBitsToFloat(int32(what))));
            case BOOL -> file.get(ValueLayout.JAVA_BYTE, advance(1, what)) != 0;
            case STRING -> text(what);
            case ARRAY -> array(key);
            case UINT64 -> unsigned(int64(what), what);
            case INT64 -> int64(what);
            case FLOAT64 -> Double.longBitsToDouble(int64(what));
        };
    }

    private Long unsigned(long value, String what) {
        if (value < 0) {
            throw malformed("%s is %s, past 2^63".formatted(what, Long.toUnsignedString(value)));
        }
        return value;
    }

    private List<Object> array(String key) {
        ValueType type = valueType(key);
        if (type == ValueType.ARRAY) {
            throw malformed("metadata '" + key + "' is an array of arrays");
        }
        long count = count(type.bytes, "elements of '" + key + "'");
        elements += count;
        if (elements > MAXIMUM_ELEMENTS) {
            throw malformed("its metadata has over %,d array elements".formatted(MAXIMUM_ELEMENTS));
        }
        List<Object> values = new ArrayList<>((int) count);
        for (long i = 0; i < count; i++) {
            values.add(value(type, key));
        }
        return values;
    }

    MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "the file is damaged or was written wrongly; fetch it again");
    }
}
