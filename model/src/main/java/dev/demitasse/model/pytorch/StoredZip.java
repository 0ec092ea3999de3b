package dev.demitasse.model.pytorch;

import dev.demitasse.model.MalformedModelException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A mapped zip file whose entries are not compressed, as torch.save writes them; with zip64, for entries past 4 GB.
 * Format: PKWARE's APPNOTE.TXT 6.3, §4.3. {@link java.util.zip.ZipFile} does not tell where an entry's bytes lie, which
 * is what mapping them takes.
 */
final class StoredZip {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int MAXIMUM_COMMENT = 0xffff;
    private static final int LOCATOR_64 = 0x07064b50;
    private static final int LOCATOR_64_BYTES = 20;
    private static final int END_64 = 0x06064b50;
    private static final int END_64_BYTES = 56;
    private static final int CENTRAL = 0x02014b50;
    private static final int CENTRAL_BYTES = 46;
    private static final int LOCAL = 0x04034b50;
    private static final int LOCAL_BYTES = 30;
    private static final int EXTRA_64 = 1;
    /** Stands for a size or offset that the zip64 fields tell. */
    private static final long ELSEWHERE = 0xffffffffL;

    private static final int ENCRYPTED = 1;
    private static final long MAXIMUM_ENTRIES = 1 << 20;

    private final Path path;
    private final MemorySegment file;
    private final Map<String, MemorySegment> entries = new LinkedHashMap<>();

    private StoredZip(Path path, MemorySegment file) {
        this.path = path;
        this.file = file;
    }

    private record Directory(long entries, long bytes, long offset) {}

    private record Extent(String name, long begin, long end) {}

    /**
     * The entries' bytes by name, in the directory's order.
     *
     * @throws MalformedModelException if it is no zip file, or its entries overlap or are compressed
     */
    static Map<String, MemorySegment> read(Path path, MemorySegment file) {
        StoredZip zip = new StoredZip(path, file);
        zip.readDirectory(zip.directory());
        return zip.entries;
    }

    private Directory directory() {
        long first = Math.max(0, file.byteSize() - END_BYTES - MAXIMUM_COMMENT);
        for (long at = file.byteSize() - END_BYTES; at >= first; at--) {
            if (int32(at) == END && at + END_BYTES + uint16(at + 20) == file.byteSize()) {
                Directory plain = new Directory(uint16(at + 10), uint32(at + 12), uint32(at + 16));
                boolean elsewhere = plain.entries == 0xffff || plain.bytes == ELSEWHERE || plain.offset == ELSEWHERE;
                return elsewhere ? directory64(at - LOCATOR_64_BYTES).orElse(plain) : plain;
            }
        }
        throw malformed("has no zip directory at its end");
    }

    private Optional<Directory> directory64(long locator) {
        if (locator < 0 || int32(locator) != LOCATOR_64) {
            return Optional.empty();
        }
        long at = file.get(LONG, locator + 8);
        requireInside(at, END_64_BYTES, "zip64 directory");
        if (int32(at) != END_64) {
            throw malformed("has no zip64 directory at byte %,d".formatted(at));
        }
        return Optional.of(new Directory(file.get(LONG, at + 32), file.get(LONG, at + 40), file.get(LONG, at + 48)));
    }

    private void readDirectory(Directory directory) {
        requireInside(directory.offset, directory.bytes, "zip directory");
        if (directory.entries < 0
                || directory.entries > MAXIMUM_ENTRIES
                || directory.entries > directory.bytes / CENTRAL_BYTES) {
            throw malformed("says that its directory of %,d bytes has %s entries"
                    .formatted(directory.bytes, Long.toUnsignedString(directory.entries)));
        }
        List<Extent> extents = new ArrayList<>();
        long at = directory.offset;
        for (long i = 0; i < directory.entries; i++) {
            requireInside(at, CENTRAL_BYTES, "zip entry " + i);
            if (int32(at) != CENTRAL) {
                throw malformed("has no zip entry at byte %,d".formatted(at));
            }
            int nameBytes = uint16(at + 28);
            int extraBytes = uint16(at + 30);
            long length = (long) CENTRAL_BYTES + nameBytes + extraBytes + uint16(at + 32);
            requireInside(at, length, "zip entry " + i);
            String name = new String(
                    file.asSlice(at + CENTRAL_BYTES, nameBytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
            extents.add(extent(at, name, extraBytes));
            at += length;
        }
        extents.forEach(this::add);
        extents.sort(Comparator.comparingLong(Extent::begin).thenComparingLong(Extent::end));
        for (int i = 1; i < extents.size(); i++) {
            if (extents.get(i).begin < extents.get(i - 1).end) {
                throw malformed(
                        "its entries '%s' and '%s' overlap".formatted(extents.get(i - 1).name, extents.get(i).name));
            }
        }
    }

    /** Where the entry's bytes lie, whose directory record stands at {@code at}. */
    private Extent extent(long at, String name, int extraBytes) {
        if ((uint16(at + 8) & ENCRYPTED) != 0) {
            throw malformed("its entry '" + name + "' is encrypted");
        }
        long compressed = uint32(at + 20);
        long bytes = uint32(at + 24);
        long local = uint32(at + 42);
        long extra = at + CENTRAL_BYTES + uint16(at + 28);
        long extraEnd = extra + extraBytes;
        while (extra + 4 <= extraEnd) {
            long fieldEnd = Math.min(extraEnd, extra + 4 + uint16(extra + 2));
            if (uint16(extra) == EXTRA_64) {
                long field = extra + 4;
                if (bytes == ELSEWHERE && field + 8 <= fieldEnd) {
                    bytes = file.get(LONG, field);
                    field += 8;
                }
                if (compressed == ELSEWHERE && field + 8 <= fieldEnd) {
                    compressed = file.get(LONG, field);
                    field += 8;
                }
                if (local == ELSEWHERE && field + 8 <= fieldEnd) {
                    local = file.get(LONG, field);
                }
            }
            extra = fieldEnd;
        }
        if (uint16(at + 10) != 0 || compressed != bytes) {
            throw malformed("its entry '" + name + "' is compressed, which torch.save does not do");
        }
        requireInside(local, LOCAL_BYTES, "entry '" + name + "'");
        if (int32(local) != LOCAL) {
            throw malformed("has no entry '%s' at byte %,d".formatted(name, local));
        }
        long begin = local + LOCAL_BYTES + uint16(local + 26) + uint16(local + 28);
        requireInside(begin, bytes, "entry '" + name + "'");
        return new Extent(name, begin, begin + bytes);
    }

    private void add(Extent extent) {
        MemorySegment bytes = file.asSlice(extent.begin, extent.end - extent.begin);
        if (extent.name.isEmpty() || entries.put(extent.name, bytes) != null) {
            throw malformed("has two entries, or one without a name, as '" + extent.name + "'");
        }
    }

    private void requireInside(long at, long bytes, String what) {
        if (at < 0 || bytes < 0 || at > file.byteSize() || bytes > file.byteSize() - at) {
            throw malformed("its %s takes %s bytes from byte %s, the file has %,d"
                    .formatted(what, Long.toUnsignedString(bytes), Long.toUnsignedString(at), file.byteSize()));
        }
    }

    private int uint16(long at) {
        return file.get(SHORT, at) & 0xffff;
    }

    private int int32(long at) {
        return file.get(INT, at);
    }

    private long uint32(long at) {
        return file.get(INT, at) & 0xffffffffL;
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "the download is probably incomplete; fetch it again");
    }
}
