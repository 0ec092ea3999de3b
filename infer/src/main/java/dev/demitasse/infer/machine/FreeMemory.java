package dev.demitasse.infer.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How much memory can still be used without pushing out what is in use, as Linux estimates it (proc(5), MemAvailable; what the
 * page cache holds of files counts as free), or as the container's limit leaves (control groups, version 2).
 */
public final class FreeMemory {
    private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d+) kB");
    private static final Pattern FILE_PAGES = Pattern.compile("inactive_file (\\d+)");

    private final Path root;

    /** @param root of the file system */
    public FreeMemory(Path root) {
        this.root = root;
    }

    public static FreeMemory ofSystem() {
        return new FreeMemory(Path.of("/"));
    }

    /** In bytes; nothing where the system does not tell. */
    public OptionalLong bytes() {
        OptionalLong system = find("proc/meminfo", AVAILABLE);
        Path group = root.resolve("sys/fs/cgroup");
        OptionalLong limit = find(group.resolve("memory.max"), Pattern.compile("(\\d+)"));
        OptionalLong used = find(group.resolve("memory.current"), Pattern.compile("(\\d+)"));
        if (limit.isEmpty() || used.isEmpty()) {
            return system.isPresent() ? OptionalLong.of(system.getAsLong() << 10) : system;
        }
        long cached = find(group.resolve("memory.stat"), FILE_PAGES).orElse(0);
        long left = Math.max(0, limit.getAsLong() - used.getAsLong() + cached);
        return OptionalLong.of(system.isPresent() ? Math.min(left, system.getAsLong() << 10) : left);
    }

    private OptionalLong find(String file, Pattern number) {
        return find(root.resolve(file), number);
    }

    private static OptionalLong find(Path file, Pattern number) {
        try {
            Matcher matcher = number.matcher(Files.isReadable(file) ? Files.readString(file) : "");
            return matcher.find() ? OptionalLong.of(Long.parseLong(matcher.group(1))) : OptionalLong.empty();
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
