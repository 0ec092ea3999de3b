package dev.demitasse.quantize;

import java.nio.file.Path;

/**
 * Where residual streams of calibration windows go: as many as fit are kept in memory, the rest in files.
 *
 * <p>Used by one thread.
 */
final class StateStore {
    private final Path folder;
    private long bytes;

    /**
     * @param bytes of memory to use
     * @param folder where files are made
     */
    StateStore(long bytes, Path folder) {
        this.bytes = bytes;
        this.folder = folder;
    }

    /** How many of {@code windows} windows of {@code size} bytes each may be in memory; they count until they are {@linkplain #giveBack given back}. */
    int inMemory(int windows, long size) {
        int fitting = (int) Math.min(windows, bytes / size);
        bytes -= fitting * size;
        return fitting;
    }

    /** So many bytes of memory are free again. */
    void giveBack(long count) {
        bytes += count;
    }

    /** Where files are made. */
    Path folder() {
        return folder;
    }
}
