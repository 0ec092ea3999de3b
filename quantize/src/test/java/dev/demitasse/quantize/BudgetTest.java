package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A limit is kept to, more room costs less, and what is coarse is what matters little. */
class BudgetTest {
    @Test
    void moreRoomCostsLess() throws IOException {
        try (Checkpoint model = Checkpoint.open(SharedData.require("data/models/stories-k256"))) {
            TokenWindows text = text(model);
            double before = Double.POSITIVE_INFINITY;
            for (double bits : new double[] {3, 4.5, 6}) {
                long limit = Budget.bytes(model.config(), bits);
                BudgetPlan plan = Budget.plan(model, limit, true, text, Progress.SILENT);
                assertThat(plan.bytes()).isLessThanOrEqualTo(limit);
                assertThat(plan.bytes()).isGreaterThan((long) (0.97 * limit));
                assertThat(plan.loss()).isLessThan(before / 2);
                assertThat(plan.formats().values().stream().distinct().count()).isGreaterThan(1);
                before = plan.loss();
            }
            assertThatThrownBy(() -> Budget.plan(model, Budget.bytes(model.config(), 2), true, text, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("too few");
        }
    }

    private static TokenWindows text(Checkpoint model) throws IOException {
        String stories = Files.readString(SharedData.require("data/text/tinystories_10k.txt"));
        int[] ids = model.requireTokenizer().encode(stories.substring(0, 8000));
        List<int[]> windows = new ArrayList<>();
        for (int at = 0; windows.size() < 8; at += 64) {
            windows.add(Arrays.copyOfRange(ids, at, at + 64));
        }
        return TokenWindows.ofTokens("stories", windows);
    }
}
