package dev.demitasse.infer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.bench.Workload.Kind;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class BenchmarkTest {
    @Test
    void timesEveryKindOfWorkload() throws IOException {
        try (CpuModel model = CpuModel.open(
                        SharedData.require("data/models/stories260K"),
                        CpuOptions.usual().withThreads(2));
                BandwidthProbe probe = new BandwidthProbe(2, 8)) {
            Benchmark benchmark = new Benchmark(model, probe, 3, 0);
            for (Kind kind : Kind.values()) {
                Measurement measurement = benchmark.run(new Workload(kind, 16, kind == Kind.SCORE ? 0 : 8));
                assertThat(measurement.rates()).hasSize(3).allMatch(rate -> rate > 0);
                assertThat(measurement.warmUps()).isEmpty();
                assertThat(measurement.bandwidth().isPresent()).isEqualTo(kind == Kind.DECODE);
            }
            assertThat(probe.bytesPerSecond()).isPositive();
        }
    }

    @Test
    void aShareIsTheMedianOfThoseOfItsRepetitions() {
        Measurement measurement = new Measurement(
                new Workload(Kind.DECODE, 4, 0), List.of(1.0, 4.0, 3.0), List.of(100.0, 100.0, 50.0), List.of());
        assertThat(measurement.bandwidthShare(10))
                .hasValueSatisfying(share -> assertThat(share).isCloseTo(0.4, within(1e-12)));
        assertThat(measurement.rate().median()).isEqualTo(3);
    }

    /** All of stories260K but its embedding, which is tied: that is read whole, as the head. */
    @Test
    void aTiedEmbeddingIsReadWhole() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories260K"))) {
            assertThat(checkpoint.config().tiedHead()).isTrue();
            assertThat(WeightTraffic.bytesPerToken(checkpoint))
                    .isEqualTo(4 * checkpoint.config().parameters());
        }
    }

    /** An embedding of its own gives a row; of eight experts a token is sent to two. */
    @Test
    void aTokenTakesARowAndItsExperts() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/mixtral"))) {
            assertThat(WeightTraffic.bytesPerToken(checkpoint))
                    .isLessThan(checkpoint.config().parameters() * 4)
                    .isPositive();
        }
    }

    @Test
    void refusesWhatCannotBeTimed() {
        assertThatThrownBy(() -> new Workload(Kind.SCORE, 1, 0)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new Workload(Kind.DECODE, 4, -1)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> CpuOptions.usual().withThreads(0)).isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void workloadsAreNamedAsLlamaBenchDoes() {
        assertThat(new Workload(Kind.PREFILL, 512, 0).name()).isEqualTo("pp512");
        assertThat(new Workload(Kind.DECODE, 128, 4096).name()).isEqualTo("tg128 @ d4096");
    }
}
