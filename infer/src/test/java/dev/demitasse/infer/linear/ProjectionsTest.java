package dev.demitasse.infer.linear;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.infer.machine.FreeMemory;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Role;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Block-quantized weights are packed where there is room, and multiplied from the file where there is none. */
class ProjectionsTest {
    @TempDir
    private Path root = Path.of("");

    private Linear query(long freeKilobytes) throws IOException {
        Path file = root.resolve("proc/meminfo");
        Files.createDirectories(file.getParent());
        Files.writeString(file, "MemAvailable: %d kB\n".formatted(freeKilobytes));
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/gguf/Q4_0.gguf"));
                Projections projections = new Projections(
                        checkpoint.config(),
                        WeightSource.of(checkpoint),
                        Kernels.AUTO,
                        Workers.CALLER,
                        new FreeMemory(root))) {
            return projections.linear(Role.QUERY, 0);
        }
    }

    @Test
    void weightsArePackedWhereThereIsRoom() throws IOException {
        assertThat(query(1L << 20)).isInstanceOf(PackedLinear.class);
    }

    @Test
    void weightsStayInTheirFileWhereThereIsNone() throws IOException {
        assertThat(query(500L << 10)).isInstanceOf(FloatLinear.class);
    }
}
