package dev.demitasse.infer.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.BitSet;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class CpuAffinityTest {
    /** In a thread of its own, which ends with its mask. */
    @Test
    void aPinnedThreadMayRunOnItsCoreAlone() {
        Optional<CpuAffinity> system = CpuAffinity.ofSystem();
        assumeThat(system).as("pinning threads is known on Linux alone").isPresent();
        CpuAffinity affinity = system.orElseThrow();
        BitSet allowed = affinity.allowed();
        assertThat(allowed.cardinality()).isEqualTo(Runtime.getRuntime().availableProcessors());
        int last = allowed.length() - 1;
        CompletableFuture<BitSet> seen = new CompletableFuture<>();
        Thread.ofPlatform().start(() -> {
            affinity.pin(last);
            seen.complete(affinity.allowed());
        });
        assertThat(seen.join().stream()).containsExactly(last);
        assertThat(affinity.allowed()).isEqualTo(allowed);
    }
}
