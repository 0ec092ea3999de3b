package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
                        new LanguageTask.NextToken(),
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

    /** Neither routing nor penalties nor masks leave anything, and every part of the loss gives a finite gradient. */
    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "qwen2_moe", "gemma2", "bert_mlm"})
    void leavesNoArrayBehindInOtherForms(String name) throws IOException {
        TokenWindows windows = TinyModels.windows(20, 16, 1);
        TrainingOptions options = TrainingOptions.of(new LossWeights(1, 0.5, 0.1, 2), 1e-3, 20)
                .withBatch(2, 2)
                .withEvery(0, 0);
        NDManager manager = PyTorch.newManager();
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/" + name));
                Trainer trainer = new Trainer(
                        manager,
                        StartingWeights.random(checkpoint.config(), 2),
                        Optional.of(new Teacher(manager, checkpoint)),
                        checkpoint.config().causal()
                                ? new LanguageTask.NextToken()
                                : new TokenMasking(3, List.of(), 320, 1),
                        windows,
                        options)) {
            double first = trainer.step().loss().total();
            trainer.validate(windows);
            int arrays = manager.getManagedArrays().size();
            double last = first;
            for (int i = 0; i < 10; i++) {
                last = trainer.step().loss().total();
            }
            trainer.validate(windows);
            assertThat(manager.getManagedArrays()).hasSize(arrays);
            assertThat(last).isLessThan(first);
            trainer.write(folder.resolve("out"), Optional.empty());
        }
        try (Checkpoint written = Checkpoint.open(folder.resolve("out"));
                Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            assertThat(written.config()).isEqualTo(source.config());
        }
    }
}
