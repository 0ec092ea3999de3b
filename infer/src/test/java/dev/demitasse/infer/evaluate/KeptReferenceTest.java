package dev.demitasse.infer.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KeptReferenceTest {
    private static final int VOCABULARY = 1500;
    private static final Keeping SOME = new Keeping(20, 16);
    private static final TokenWindows TEXT = MadeUpScorer.windows(VOCABULARY, 5, 24);

    @TempDir
    Path folder;

    private static MadeUpScorer scorer(long seed, double noise) {
        return MadeUpScorer.of(VOCABULARY, 3, 8, seed, noise);
    }

    private static Divergence live(MadeUpScorer model, MadeUpScorer reference, Protocol protocol) {
        return divergence(model, Reference.of(reference), protocol);
    }

    private static Divergence divergence(MadeUpScorer model, Reference reference, Protocol protocol) {
        return Evaluation.run(model, List.of(reference), TEXT, protocol, Progress.SILENT)
                .divergence()
                .orElseThrow();
    }

    private Path keep(MadeUpScorer reference, Protocol protocol, Keeping keeping) throws IOException {
        Path file = folder.resolve("kept");
        KeptReference.record(reference, "made up", TEXT, protocol, keeping, file, Progress.SILENT);
        return file;
    }

    @ParameterizedTest
    @EnumSource
    void keptWholeNothingIsLost(Protocol protocol) throws IOException {
        MadeUpScorer model = scorer(1, 0.5);
        MadeUpScorer reference = scorer(2, 0.5);
        try (KeptReference kept = KeptReference.open(keep(reference, protocol, Keeping.WHOLE))) {
            assertThat(divergence(model, kept, protocol)).isEqualTo(live(model, reference, protocol));
            assertThat(divergence(model, kept, protocol).tail().none()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void keptInPartOnlyTheTailsDivergenceIsEstimated(Protocol protocol) throws IOException {
        MadeUpScorer model = scorer(1, 0.5);
        MadeUpScorer reference = scorer(2, 0.5);
        Divergence exact = live(model, reference, protocol);
        try (KeptReference kept = KeptReference.open(keep(reference, protocol, SOME))) {
            assertThat(kept.keeping()).isEqualTo(SOME);
            Divergence estimated = divergence(model, kept, protocol);
            assertThat(estimated.top1()).isEqualTo(exact.top1());
            assertThat(estimated.probabilitySpread()).isEqualTo(exact.probabilitySpread());
            assertThat(estimated.perplexity()).isEqualTo(exact.perplexity());
            assertThat(estimated.tail().share()).isBetween(0.2, 0.8);
            assertThat(estimated.tail().lowestKl())
                    .as("the log-sum inequality, and what it lacks")
                    .isBetween(0.5 * exact.meanKl(), 0.9 * exact.meanKl());
            assertThat(estimated.meanKl())
                    .isCloseTo(exact.meanKl(), within(4 * estimated.tail().standardError()));
            assertThat(estimated.tail().standardError()).isLessThan(0.05 * exact.meanKl());
            assertThat(estimated.klSpread().median())
                    .isCloseTo(
                            exact.klSpread().median(),
                            within(0.1 * exact.klSpread().median()));
        }
    }

    /** Errors divided by what is told of them, of many pairs: as large as they should be, or less for the strata. */
    @Test
    void theErrorIsAsLargeAsItIsSaidToBe() throws IOException {
        List<Double> deviations = new ArrayList<>();
        for (long seed = 10; seed < 50; seed++) {
            MadeUpScorer model = scorer(seed, 0.3);
            MadeUpScorer reference = scorer(-seed, 0.3);
            try (KeptReference kept = KeptReference.open(keep(reference, Protocol.DEFAULT, SOME))) {
                Divergence estimated = divergence(model, kept, Protocol.DEFAULT);
                double error = estimated.meanKl()
                        - live(model, reference, Protocol.DEFAULT).meanKl();
                deviations.add(error / estimated.tail().standardError());
            }
        }
        double meanSquare =
                deviations.stream().mapToDouble(z -> z * z).average().orElseThrow();
        double mean = deviations.stream().mapToDouble(z -> z).average().orElseThrow();
        assertThat(Math.sqrt(meanSquare)).isBetween(0.4, 1.3);
        assertThat(Math.abs(mean)).as("no bias").isLessThan(0.5);
    }

    @Test
    void aModelDoesNotDivergeFromWhatWasKeptOfIt() throws IOException {
        MadeUpScorer model = scorer(1, 0.5);
        try (KeptReference kept = KeptReference.open(keep(model, Protocol.DEFAULT, SOME))) {
            Divergence divergence = divergence(model, kept, Protocol.DEFAULT);
            assertThat(divergence.klSpread().largest()).isLessThan(1e-12);
            assertThat(divergence.top1().value()).isEqualTo(1);
            assertThat(divergence.perplexity().logRatio().value()).isZero();
        }
    }

    /** Probabilities that vanish next to the likeliest one, and beyond what a float can hold. */
    @Test
    void sharpPredictionsStayFinite() throws IOException {
        MadeUpScorer model = MadeUpScorer.of(VOCABULARY, 60, 8, 1, 5);
        MadeUpScorer reference = MadeUpScorer.of(VOCABULARY, 60, 8, 2, 5);
        Divergence exact = live(model, reference, Protocol.DEFAULT);
        try (KeptReference kept = KeptReference.open(keep(reference, Protocol.DEFAULT, SOME))) {
            Divergence divergence = divergence(model, kept, Protocol.DEFAULT);
            assertThat(divergence.meanKl()).isCloseTo(exact.meanKl(), within(1e-5 * exact.meanKl()));
        }
    }

    @Test
    void recordingTellsTheReferencesOwnQuality() throws IOException {
        MadeUpScorer reference = scorer(2, 0.5);
        Path file = folder.resolve("own");
        Quality own = KeptReference.record(reference, "made up", TEXT, Protocol.DEFAULT, SOME, file, Progress.SILENT);
        assertThat(own).isEqualTo(Evaluation.run(reference, Optional.empty(), TEXT, Protocol.DEFAULT, Progress.SILENT));
        try (KeptReference kept = KeptReference.open(file)) {
            assertThat(kept.isOf("made up", reference.config(), TEXT, Protocol.DEFAULT))
                    .isTrue();
            assertThat(kept.isOf("other", reference.config(), TEXT, Protocol.DEFAULT))
                    .isFalse();
            assertThat(kept.isOf("made up", reference.config(), TEXT, Protocol.LLAMACPP))
                    .isFalse();
        }
    }

    @Test
    void refusesAnotherTextProtocolOrVocabulary() throws IOException {
        try (KeptReference kept = KeptReference.open(keep(scorer(2, 0.5), Protocol.DEFAULT, SOME))) {
            MadeUpScorer model = scorer(1, 0.5);
            assertThatThrownBy(() -> divergence(model, kept, Protocol.LLAMACPP))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("default")
                    .hasMessageContaining("llamacpp");
            TokenWindows less = TEXT.take(0, 3);
            assertThatThrownBy(() -> Evaluation.run(model, List.of(kept), less, Protocol.DEFAULT, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("3 of 24");
            MadeUpScorer larger = MadeUpScorer.of(VOCABULARY + 1, 1, 1, 1, 1);
            assertThatThrownBy(() -> divergence(larger, kept, Protocol.DEFAULT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("1,501");
        }
    }

    @Test
    void aDamagedFileIsRefused() throws IOException {
        byte[] good = Files.readAllBytes(keep(scorer(2, 0.5), Protocol.DEFAULT, SOME));
        Path bad = folder.resolve("bad");
        List<Integer> places = new ArrayList<>(List.of(good.length / 2, good.length - 1));
        for (int i = 0; i < 160; i++) {
            places.add(i);
        }
        for (int place : places) {
            byte[] bytes = good.clone();
            bytes[place] ^= 0x41;
            Files.write(bad, bytes);
            assertThatThrownBy(() -> KeptReference.open(bad))
                    .as("byte " + place)
                    .isInstanceOf(MalformedModelException.class);
        }
        for (int length : new int[] {0, 7, 40, 100, good.length - 1}) {
            Files.write(bad, Arrays.copyOf(good, length));
            assertThatThrownBy(() -> KeptReference.open(bad))
                    .as(length + " bytes")
                    .isInstanceOf(MalformedModelException.class);
        }
        assertThatThrownBy(() -> KeptReference.open(folder.resolve("none")))
                .isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void whatIsNotFinishedIsNotThere() throws IOException {
        Path file = folder.resolve("unfinished");
        try (ReferenceWriter writer =
                ReferenceWriter.create(file, scorer(1, 1).config(), "made up", TEXT, Protocol.DEFAULT, Keeping.WHOLE)) {
            assertThatThrownBy(writer::commit).isInstanceOf(IllegalStateException.class);
        }
        try (var left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void keepsAllWhereThereIsRoom() {
        assertThat(Keeping.within(1 << 20, 1000, 100)).isEqualTo(Keeping.WHOLE);
        assertThat(Keeping.within(1 << 20, 1000, 32_000)).isEqualTo(Keeping.TOP);
        assertThat(Keeping.within(1L << 40, 1000, 32_000)).isEqualTo(Keeping.WHOLE);
        assertThat(Keeping.within(0, 1000, 600))
                .as("no larger than its top would be")
                .isEqualTo(Keeping.WHOLE);
        assertThatThrownBy(() -> new Keeping(10, 1)).isInstanceOf(IllegalArgumentException.class);
    }
}
