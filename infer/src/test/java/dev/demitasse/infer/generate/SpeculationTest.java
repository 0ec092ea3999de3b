package dev.demitasse.infer.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.generate.Generator.Continuation;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Drafts change how fast a text is written, and nothing about the text. */
class SpeculationTest {
    private static final double[] FROM_0 = {0.5, 0.3, 0.15, 0.05};
    private static final double[] FROM_1 = {0.1, 0.2, 0.3, 0.4};
    private static final double[] FROM_2 = {0.25, 0.25, 0.25, 0.25};
    private static final double[] FROM_3 = {0.05, 0.85, 0.05, 0.05};

    /** The likeliest tokens: the same words with drafts that are right, nearly so, or from the text itself. */
    @ParameterizedTest
    @CsvSource({"stories3M, EXACT", "stories3M, AUTO", "stories260K, EXACT"})
    void greedyTextIsTheSame(String name, Kernels kernels) throws IOException {
        CpuOptions options = CpuOptions.usual().withKernels(kernels);
        try (CpuModel model = CpuModel.open(SharedData.require("data/models/" + name), options);
                CpuModel same = CpuModel.open(SharedData.require("data/models/" + name), options)) {
            int[] once = new Generator(model, SamplingOptions.GREEDY)
                    .generate(new int[] {1}, 60, token -> {})
                    .tokens();
            // A prompt whose text the model begins again.
            int[] prompt = Arrays.copyOf(once, once.length + 1);
            prompt[once.length] = 1;
            for (int[] start : List.of(new int[] {1}, prompt)) {
                int[] expected = write(model, start, Optional.empty());
                assertThat(write(model, start, Optional.of(new PromptLookup()))).isEqualTo(expected);
                try (DraftModel draft = new DraftModel(same, model, SamplingOptions.GREEDY)) {
                    assertThat(write(model, start, Optional.of(draft))).isEqualTo(expected);
                }
                SamplingOptions wild = new SamplingOptions(2, 0, 1, 5);
                try (DraftModel draft = new DraftModel(same, model, wild)) {
                    assertThat(write(model, start, Optional.of(draft))).isEqualTo(expected);
                }
            }
        }
    }

    private static int[] write(CpuModel model, int[] start, Optional<Drafter> drafter) {
        return new Generator(model, SamplingOptions.GREEDY, drafter)
                .generate(start, 120, token -> {})
                .tokens();
    }

    /** For each token: drawn and accepted, or another refused and this drawn instead, sums to p (arXiv:2211.17192, appendix A.1). */
    @Test
    void acceptedAndRefusedTogetherAreTheModelsOwn() {
        double[][] rows = {FROM_0, FROM_1, FROM_2, FROM_3, {1, 0, 0, 0}, {0, 0.5, 0.5, 0}};
        for (double[] p : rows) {
            for (double[] q : rows) {
                Distribution expected = distribution(p);
                Distribution proposal = distribution(q);
                double refused = 1;
                for (int token = 0; token < 4; token++) {
                    if (q[token] > 0) {
                        refused -= q[token] * expected.acceptance(token, proposal);
                    }
                }
                Distribution instead = expected.beyond(proposal);
                for (int token = 0; token < 4; token++) {
                    double accepted = q[token] > 0 ? q[token] * expected.acceptance(token, proposal) : 0;
                    assertThat(accepted + refused * instead.of(token)).isCloseTo(p[token], within(1e-12));
                }
            }
        }
    }

    private static Distribution distribution(double... probabilities) {
        return new Distribution(new int[] {0, 1, 2, 3}, probabilities);
    }

    /** Texts of three tokens, counted, against the products of their probabilities: within four standard deviations. */
    @Test
    void textsAreAsProbableAsWithoutDrafts() throws IOException {
        ModelConfig config = config();
        MarkovModel model = new MarkovModel(config, FROM_0, FROM_1, FROM_2, FROM_3);
        MarkovModel small = new MarkovModel(config, FROM_1, FROM_0, FROM_3, FROM_2);
        int texts = 20_000;
        Map<List<Integer>, Integer> counts = new HashMap<>();
        for (int seed = 0; seed < texts; seed++) {
            SamplingOptions options = new SamplingOptions(1, 0, 1, seed);
            try (DraftModel draft = new DraftModel(small, model, options)) {
                Continuation text =
                        new Generator(model, options, Optional.of(draft)).generate(new int[] {0}, 3, token -> {});
                counts.merge(Arrays.stream(text.tokens()).boxed().toList(), 1, Integer::sum);
            }
        }
        double[][] from = {FROM_0, FROM_1, FROM_2, FROM_3};
        int end = config.specialTokens().eos().iterator().next();
        assertThat(end).isBetween(0, 3);
        assertThat(counts).hasSize(1 + 3 + 9 + 27);
        counts.forEach((text, count) -> {
            double probability = 1;
            int last = 0;
            for (int token : text) {
                probability *= from[last][token];
                last = token;
            }
            if (text.size() < 3) {
                probability *= from[last][end];
            }
            double deviation = Math.sqrt(texts * probability * (1 - probability));
            assertThat((double) count).isCloseTo(texts * probability, within(4 * deviation + 1));
        });
    }

    private static ModelConfig config() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/llama"))) {
            return checkpoint.config();
        }
    }

    /** A text that goes round in circles is foretold: three tokens are right in each pass, and one more is the model's. */
    @Test
    void rightDraftsSavePasses() throws IOException {
        double[] to1 = {0, 1, 0, 0};
        double[] to3 = {0, 0, 0, 1};
        double[] to0 = {1, 0, 0, 0};
        MarkovModel model = new MarkovModel(config(), to1, to3, FROM_2, to0);
        Generator generator = new Generator(model, SamplingOptions.GREEDY, Optional.of(new PromptLookup()));
        int[] text =
                generator.generate(new int[] {0, 1, 3, 0, 1}, 29, token -> {}).tokens();
        assertThat(text).startsWith(3, 0, 1, 3, 0, 1).hasSize(29);
        assertThat(model.passes).isLessThanOrEqualTo(1 + 28 / 4);
    }

    @Test
    void aDraftModelMustHaveTheSameTokens() throws IOException {
        ModelConfig config = config();
        MarkovModel model = new MarkovModel(config, FROM_0, FROM_1, FROM_2, FROM_3);
        MarkovModel other = new MarkovModel(config, new double[] {1, 0}, new double[] {0, 1});
        assertThatThrownBy(() -> new DraftModel(other, model, SamplingOptions.GREEDY))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("vocabulary");
    }

    @Test
    void draftsThatSlowDownAreLeftOffForEverLonger() {
        SpeculationGauge gauge = new SpeculationGauge();
        int drafted = 0;
        for (int step = 0; step < 2000; step++) {
            boolean drafting = gauge.drafting();
            drafted += drafting ? 1 : 0;
            gauge.step(1, drafting ? 3000 : 2000);
        }
        assertThat(drafted).isBetween(3 * SpeculationGauge.WINDOW, 2000 / 10);
    }

    @Test
    void draftsThatSpeedUpStayOn() {
        SpeculationGauge gauge = new SpeculationGauge();
        int drafted = 0;
        for (int step = 0; step < 2000; step++) {
            boolean drafting = gauge.drafting();
            drafted += drafting ? 1 : 0;
            gauge.step(drafting ? 3 : 1, drafting ? 3000 : 2000);
        }
        assertThat(drafted).isGreaterThan(2000 * 9 / 10);
    }
}
