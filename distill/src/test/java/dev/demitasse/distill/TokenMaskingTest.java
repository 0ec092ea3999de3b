package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.distill.LanguageTask.Exercise;
import dev.demitasse.distill.loss.CrossEntropy;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenMaskingTest {
    private static final int MASK = 3;
    private static final int SPECIAL = 7;

    @TempDir
    Path folder;

    private final TokenMasking masking = new TokenMasking(MASK, List.of(SPECIAL), 1000, 5);

    /** BERT §3.1: 15 % asked for, 80 % of them masked, 10 % replaced, 10 % left. */
    @Test
    void asksForTheSharesOfThePaper() {
        int[][] windows = windows(400, 100);
        Exercise exercise = masking.pose(windows, 0);
        assertThat(exercise.questions()).isEqualTo(400 * 15);
        int masked = 0;
        int kept = 0;
        for (int row = 0; row < windows.length; row++) {
            for (int i = 0; i < 100; i++) {
                long label = exercise.labels()[row * 100 + i];
                int given = exercise.ids()[row][i];
                if (label == CrossEntropy.NO_LABEL) {
                    assertThat(given).isEqualTo(windows[row][i]);
                } else {
                    assertThat(label).isEqualTo(windows[row][i]).isNotEqualTo(SPECIAL);
                    masked += given == MASK ? 1 : 0;
                    kept += given == label ? 1 : 0;
                }
            }
        }
        assertThat(masked / 6000.0).isCloseTo(0.8, within(0.02));
        assertThat(kept / 6000.0).isCloseTo(0.1, within(0.02));
    }

    @Test
    void dependsOnSeedAndNumberOfTheWindowAlone() {
        int[][] windows = windows(2, 50);
        int[][] second = {windows[1]};
        assertThat(masking.pose(second, 8).ids()[0])
                .isEqualTo(masking.pose(windows, 7).ids()[1]);
        assertThat(masking.pose(second, 9).labels())
                .isNotEqualTo(masking.pose(second, 8).labels());
    }

    @Test
    void aWindowOfSpecialTokensIsLeftAlone() {
        Exercise exercise = masking.pose(new int[][] {{SPECIAL, SPECIAL}}, 0);
        assertThat(exercise.questions()).isZero();
        assertThat(exercise.ids()[0]).containsOnly(SPECIAL);
    }

    @Test
    void saysThatAnEncoderNeedsATokenizer() {
        TrainingJob job = new TrainingJob(
                new Student.Existing(SharedData.require("golden/bert_mlm")),
                Optional.empty(),
                TinyModels.windows(4, 16, 1),
                Optional.empty(),
                TrainingOptions.of(LossWeights.PRETRAIN, 1e-3, 2),
                folder.resolve("out"),
                folder.resolve("work"));
        assertThatThrownBy(() -> Training.run(job, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("tokenizer");
    }

    private static int[][] windows(int count, int length) {
        Random random = new Random(1);
        int[][] windows = new int[count][];
        for (int row = 0; row < count; row++) {
            windows[row] = random.ints(length, 10, 1000).toArray();
            windows[row][0] = SPECIAL;
        }
        return windows;
    }
}
