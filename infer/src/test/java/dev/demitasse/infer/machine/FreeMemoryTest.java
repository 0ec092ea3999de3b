package dev.demitasse.infer.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files as Linux writes them. */
class FreeMemoryTest {
    @TempDir
    private Path root = Path.of("");

    private void write(String file, String text) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.writeString(root.resolve(file), text);
    }

    @Test
    void theSystemTells() throws IOException {
        assertThat(new FreeMemory(root).bytes()).isEmpty();
        write("proc/meminfo", "MemTotal:       24684412 kB\nMemFree:  1 kB\nMemAvailable:   22327112 kB\n");
        assertThat(new FreeMemory(root).bytes()).hasValue(22327112L << 10);
    }

    @Test
    void aContainersLimitCountsWhereItIsLess() throws IOException {
        write("proc/meminfo", "MemAvailable:   4194304 kB\n");
        write("sys/fs/cgroup/memory.max", "max\n");
        write("sys/fs/cgroup/memory.current", "3000000000\n");
        assertThat(new FreeMemory(root).bytes()).hasValue(4L << 30);
        write("sys/fs/cgroup/memory.max", "4000000000\n");
        write("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 500000000\nactive_file 7\n");
        assertThat(new FreeMemory(root).bytes()).hasValue(1_500_000_000);
    }
}
