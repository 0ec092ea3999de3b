package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.distill.TrainingReport.LossParts;
import dev.demitasse.distill.TrainingReport.StepPoint;
import dev.demitasse.distill.TrainingReport.ValidationPoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LossCurveTest {
    @TempDir
    Path folder;

    @Test
    void goesOnWhereTheStateWasSavedThoughTheLastLineIsTorn() throws IOException {
        try (LossCurve curve = LossCurve.open(folder, 0)) {
            for (int step = 1; step <= 3; step++) {
                curve.add(point(step));
                curve.add(new ValidationPoint(step, step / 10.0));
            }
        }
        Files.writeString(folder.resolve(LossCurve.FILE), "{\"step\":4,\"tok", StandardOpenOption.APPEND);

        try (LossCurve curve = LossCurve.open(folder, 2)) {
            curve.add(point(3));
            assertThat(curve.steps()).containsExactly(point(1), point(2), point(3));
            assertThat(curve.validation()).containsExactly(new ValidationPoint(1, 0.1), new ValidationPoint(2, 0.2));
        }
        assertThat(Files.readAllLines(folder.resolve(LossCurve.FILE))).hasSize(5);
    }

    private static StepPoint point(int step) {
        return new StepPoint(step, step * 100L, 1e-3 / step, new LossParts(1.0 / step, 0.5, 0.25, 0.125), 3.5);
    }
}
