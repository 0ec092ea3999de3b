package dev.demitasse.infer.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/**
 * Memory for weights, on large pages where the system has them: prefetchers stop at a page's end, so that streams of 4 KiB
 * pages are read at half the speed and less.
 */
public final class LargeMemory {
    private static final long LARGE_PAGE = 2 << 20;
    private static final long CACHE_LINE = 64;

    private LargeMemory() {}

    /** Zeros that live as long as {@code arena}. */
    public static MemorySegment allocate(long bytes, Arena arena) {
        if (bytes < LARGE_PAGE || !PageMap.supported()) {
            return arena.allocate(bytes, CACHE_LINE);
        }
        long mapped = Math.addExact(bytes, LARGE_PAGE);
        OptionalLong address = PageMap.map(mapped);
        if (address.isEmpty()) {
            throw new OutOfMemoryError("%,d bytes for weights".formatted(bytes));
        }
        long start = address.getAsLong();
        long aligned = (start + LARGE_PAGE - 1) & -LARGE_PAGE;
        PageMap.preferLarge(aligned, bytes);
        return MemorySegment.ofAddress(aligned).reinterpret(bytes, arena, segment -> PageMap.unmap(start, mapped));
    }
}
