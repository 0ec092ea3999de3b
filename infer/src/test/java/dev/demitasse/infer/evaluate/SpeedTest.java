package dev.demitasse.infer.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class SpeedTest {
    @Test
    void measuresBothPhases() throws IOException {
        try (CpuModel model = CpuModel.open(SharedData.require("data/models/stories260K"))) {
            Speed speed = Speed.measure(model, 16, 4);
            assertThat(speed.prefillTokensPerSecond()).isPositive();
            assertThat(speed.decodeTokensPerSecond()).isPositive();
        }
    }

    @Test
    void refusesMoreTokensThanPositions() throws IOException {
        try (CpuModel model = CpuModel.open(SharedData.require("data/models/stories260K"))) {
            assertThatThrownBy(() -> Speed.measure(model, 512, 1))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("512");
        }
    }
}
