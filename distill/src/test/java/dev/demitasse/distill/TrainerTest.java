package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.model.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    @TempDir
    Path folder;

    /** Memory does not grow with steps: after the first, every array a step makes is freed by its end. */
    @Test
    void leavesNoArrayBehind() throws IOException {
        TokenWindows windows = TinyModels.windows(20, 16, 1);
        TrainingOptions options = TrainingOptions.of(new LossWeights(1, 0.5, 0.1, 2), 1e-2, 20)
                .withBatch(2, 2)
                .withEvery(0, 0);
        NDManager manager = PyTorch.newManager();
        Path path = TinyModels.write(folder, TinyModels.config(32, 2), 1);
        try (Checkpoint teacher = Checkpoint.open(path);
                Trainer trainer = new Trainer(
                        manager,
                        StartingWeights.random(TinyModels.config(16, 2), 2),
                        Optional.of(new Teacher(manager, teacher)),
                        windows,
                        options)) {
            trainer.step();
            trainer.validate(windows);
            trainer.save(folder, "job");
            int arrays = manager.getManagedArrays().size();
            assertThat(arrays).isPositive();
            for (int i = 0; i < 3; i++) {
                trainer.step();
                trainer.validate(windows);
                trainer.save(folder, "job");
            }
            assertThat(manager.getManagedArrays()).hasSize(arrays);
        }
    }
}
