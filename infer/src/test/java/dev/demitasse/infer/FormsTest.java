package dev.demitasse.infer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Head;
import dev.demitasse.model.InputEmbedding;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.ModelConfigBuilder;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.QueryKeyNorm;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TokenInput;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every choice that a configuration has, at sizes no vector divides, against {@link DoubleModel}. */
class FormsTest {
    private static final int VOCABULARY = 37;
    private static final int HIDDEN = 26;
    private static final double TOLERANCE = 3e-5;

    static Stream<String> forms() {
        return all().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("forms")
    void equalsPlainLoops(String name) {
        ModelConfig config = all().get(name).build();
        WeightSource source = random(config);
        int[] ids = tokens(name.contains("far") ? 330 : 27);
        DoubleModel expected = new DoubleModel(config, source, TokenInput.of(ids));
        try (CpuModel model = CpuModel.of(config, source)) {
            CpuModel.Trace trace = model.trace(ids);
            assertClose(trace.logits(), expected.logits);
            assertThat(trace.hiddenStates()).zipSatisfy(expected.states, FormsTest::assertClose);
            if (config.causal()) {
                assertPieces(model, ids, expected.logits);
            } else {
                assertThatThrownBy(() -> model.newSession(9)).isInstanceOf(InvalidRequestException.class);
            }
        }
    }

    /** Nine tokens at once, the others one by one. */
    private static void assertPieces(CpuModel model, int[] ids, double[][] expected) {
        try (Session session = model.newSession(ids.length)) {
            assertClose(session.forward(Arrays.copyOf(ids, 9), Logits.ALL), Arrays.copyOf(expected, 9));
            for (int t = 9; t < ids.length; t++) {
                assertClose(session.forward(new int[] {ids[t]}, Logits.LAST), Arrays.copyOfRange(expected, t, t + 1));
            }
        }
    }

    /** Padding is not seen, wherever it stands, and each token has its segment. */
    @Test
    void encodersHonourMasksAndSegments() {
        ModelConfig config = all().get("encoder").build();
        WeightSource source = random(config);
        int[] ids = tokens(19);
        boolean[] attended = new boolean[ids.length];
        int[] types = new int[ids.length];
        for (int t = 0; t < ids.length; t++) {
            attended[t] = t < 15 && t != 4;
            types[t] = t % 2;
        }
        TokenInput input = new TokenInput(ids, Optional.of(attended), Optional.of(types));
        DoubleModel expected = new DoubleModel(config, source, input);
        try (CpuModel model = CpuModel.of(config, source)) {
            assertClose(model.trace(input).logits(), expected.logits);
            TokenInput nothing = new TokenInput(ids, Optional.of(new boolean[ids.length]), Optional.empty());
            assertThatThrownBy(() -> model.trace(nothing))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("no token");
        }
    }

    /** Taken in piece by piece or at once, the sequence that has crossed into the long factors is the same. */
    @Test
    void longRopeRecomputesWhatShortFactorsHadTurned() {
        ModelConfig config = decoder()
                .positions(Rotary.of(8, 100)
                        .withScaling(new RopeScaling.LongRope(
                                List.of(1.0, 1.1, 1.2, 1.3), List.of(2.0, 3.0, 5.0, 9.0), 12, 1.3)))
                .build();
        WeightSource source = random(config);
        int[] ids = tokens(20);
        try (CpuModel model = CpuModel.of(config, source);
                Session session = model.newSession(20)) {
            for (int at = 0; at < ids.length; at += 5) {
                float[] logits = session.forward(Arrays.copyOfRange(ids, at, at + 5), Logits.ALL);
                double[][] expected = new DoubleModel(config, source, TokenInput.of(Arrays.copyOf(ids, at + 5))).logits;
                assertClose(logits, Arrays.copyOfRange(expected, at, at + 5));
            }
            assertThat(session.position()).isEqualTo(20);
            assertThatThrownBy(() -> session.forward(new int[1], Logits.LAST))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("20 of 20 positions");
        }
    }

    /** Dynamic scaling of whole sequences; keys that are cached keep the frequencies of their time. */
    @Test
    void dynamicScalingGoesByTheWholeLength() {
        ModelConfig config = decoder()
                .positions(Rotary.of(8, 100).withScaling(new RopeScaling.Dynamic(2, 12)))
                .build();
        WeightSource source = random(config);
        try (CpuModel model = CpuModel.of(config, source)) {
            for (int length : new int[] {12, 20, 13, 9}) {
                int[] ids = tokens(length);
                assertClose(model.logits(ids), new DoubleModel(config, source, TokenInput.of(ids)).logits);
            }
        }
    }

    @Test
    void learnedPositionsEnd() {
        ModelConfig config = decoder()
                .positions(new Positions.None())
                .embedding(InputEmbedding.plain(HIDDEN).withPositions(12, 2))
                .build();
        try (CpuModel model = CpuModel.of(config, random(config));
                Session session = model.newSession(20)) {
            session.forward(tokens(10), Logits.LAST);
            assertThatThrownBy(() -> session.forward(new int[1], Logits.LAST))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("11 tokens")
                    .hasMessageContaining("10 positions");
        }
    }

    /** Each expert's listener sees the tokens that its router sent: as many in all as tokens times experts used. */
    @Test
    void listenersSeeEachExpertsTokens() {
        ModelConfig config = all().get("experts").build();
        Map<TensorKey, Integer> seen = new HashMap<>();
        DecoderLayer layer = DecoderLayer.load(config, random(config), 1);
        layer.forward(new float[19 * HIDDEN], 19, layer.newCache(19), (projection, input, tokens, width) -> {
            assertThat(width).isEqualTo(config.columns(projection));
            seen.merge(projection, tokens, Integer::sum);
        });
        // All tokens are zeros, so that all scores tie: the first two experts get everything.
        for (Role role : List.of(Role.EXPERT_GATE, Role.EXPERT_DOWN)) {
            for (int expert = 0; expert < 2; expert++) {
                assertThat(seen).containsEntry(TensorKey.expert(role, 1, expert), 19);
            }
        }
        for (Role role : List.of(Role.QUERY, Role.ATTENTION_OUTPUT, Role.SHARED_GATE, Role.SHARED_DOWN)) {
            assertThat(seen).containsEntry(TensorKey.weight(role, 1), 19);
        }
        assertThat(seen).hasSize(8);
    }

    /** Two halves, with other streams between them, are one layer; so are those of a copy made halfway. */
    @ParameterizedTest
    @MethodSource("residuals")
    void halvesMakeTheWhole(Residual residual) {
        ModelConfig config = decoder().residual(residual).build();
        DecoderLayer layer = DecoderLayer.load(config, random(config), 0);
        Random random = new Random(5);
        float[] start = new float[6 * HIDDEN];
        for (int i = 0; i < start.length; i++) {
            start[i] = (float) random.nextGaussian();
        }
        float[] whole = start.clone();
        layer.forward(whole, 6, layer.newCache(6), ActivationListener.NONE);
        ResidualStream stream = ResidualStream.of(start.clone(), 6);
        layer.attend(stream, layer.newCache(6), ActivationListener.NONE);
        ResidualStream copy = stream.copy();
        float[][] inputs = new float[1][];
        layer.feedForward(stream, (projection, input, tokens, width) -> {
            if (projection.role() == Role.GATE) {
                inputs[0] = input.clone();
            }
        });
        assertThat(layer.feedForwardInput(copy)).isEqualTo(inputs[0]);
        layer.feedForward(copy, ActivationListener.NONE);
        assertThat(stream.hidden()).isEqualTo(whole);
        assertThat(copy.hidden()).isEqualTo(whole);
    }

    static Stream<Residual> residuals() {
        return Stream.of(Residual.values());
    }

    private static Map<String, ModelConfigBuilder> all() {
        Map<String, ModelConfigBuilder> all = new LinkedHashMap<>();
        for (Residual residual : Residual.values()) {
            all.put("residual " + residual, decoder().residual(residual).residualScale(0.7));
            all.put(
                    "layer norms, biases, " + residual,
                    decoder()
                            .residual(residual)
                            .norm(new Norm.Layer(1e-5))
                            .attention(Attention.of(3, 1, 8).withBiases(Attention.PROJECTIONS))
                            .feedForward(FeedForward.plain(45, Activation.GELU, true)));
        }
        for (Activation activation : Activation.values()) {
            all.put("gated " + activation, decoder().feedForward(FeedForward.gated(45, activation)));
            all.put("plain " + activation, decoder().feedForward(FeedForward.plain(45, activation, false)));
        }
        for (Scope scope : Scope.values()) {
            all.put("RMS of queries and keys, " + scope, headNorms(scope, new Norm.Rms(1e-5, true)));
            all.put("layer norm of queries and keys, " + scope, headNorms(scope, new Norm.Layer(1e-5)));
            all.put("no bias, " + scope, headNorms(scope, new Norm.Layer(1e-5, true, false)));
        }
        all.put("norms without weights", decoder().norm(new Norm.Layer(1e-5, false, false)));
        all.put("norms with unit offset", decoder().norm(new Norm.Rms(1e-5, true)));
        positions(all);
        embeddingsAndHeads(all);
        all.put("experts", experts(new Experts(5, 2, false, 11)));
        all.put("experts, normalized", experts(new Experts(5, 3, true, 0)));
        all.put("one expert", experts(new Experts(4, 1, true, 0)));
        all.put(
                "layers of different shapes",
                decoder()
                        .attention(layer -> Attention.of(2 + 2 * layer, 1 + layer, 8))
                        .feedForward(layer -> FeedForward.gated(31 + 7 * layer, Activation.SILU)));
        all.put("clip", decoder().attention(Attention.of(4, 2, 8).withClip(OptionalDouble.of(0.6))));
        all.put(
                "soft cap",
                decoder().attention(Attention.of(4, 2, 8).withScale(0.9).withSoftCap(OptionalDouble.of(1.5))));
        all.put(
                "windows by layer",
                decoder()
                        .attention(layer -> Attention.of(4, 2, 8).withSlidingWindow(layer == 0 ? 7 : Attention.FULL))
                        .positions(layer -> Rotary.of(8, layer == 0 ? 100 : 10_000)));
        return all;
    }

    private static void positions(Map<String, ModelConfigBuilder> all) {
        all.put("no positions", decoder().positions(new Positions.None()));
        all.put("partial rotary", decoder().positions(Rotary.of(6, 100)));
        all.put(
                "partial interleaved rotary",
                decoder().positions(Rotary.of(6, 100).withPairing(Pairing.INTERLEAVED)));
        all.put("yarn", decoder().positions(Rotary.of(8, 100).withScaling(new RopeScaling.Yarn(4, 16, 8, 1, 1.2))));
        all.put("alibi, 6 heads", decoder().attention(Attention.of(6, 3, 8)).positions(new Alibi(8, false)));
        all.put(
                "alibi, other bias, window",
                decoder().attention(Attention.of(4, 4, 8).withSlidingWindow(10)).positions(new Alibi(5, false)));
        all.put(
                "scaled alibi, 6 heads, far",
                decoder().attention(Attention.of(6, 1, 8)).positions(new Alibi(8, true)));
    }

    private static void embeddingsAndHeads(Map<String, ModelConfigBuilder> all) {
        InputEmbedding plain = InputEmbedding.plain(HIDDEN);
        all.put("learned positions", decoder().positions(new Positions.None()).embedding(plain.withPositions(40, 2)));
        all.put(
                "embedding scale and norm",
                decoder().embedding(plain.withScale(5.1).withNorm(true)));
        all.put("narrow embedding", decoder().embedding(InputEmbedding.plain(13).withScale(2)));
        all.put("tied head with bias", decoder().head(Head.plain(true).withBias(true)));
        all.put(
                "logits scaled and capped",
                decoder().head(Head.plain(false).withScale(0.3).withSoftCap(OptionalDouble.of(2))));
        all.put(
                "no final norm, narrow",
                decoder()
                        .embedding(InputEmbedding.plain(13))
                        .head(Head.plain(true).withNorm(false)));
        all.put(
                "encoder",
                decoder()
                        .causal(false)
                        .residual(Residual.POST_NORM)
                        .norm(new Norm.Layer(1e-12))
                        .positions(new Positions.None())
                        .embedding(plain.withPositions(40, 0).withTokenTypes(2).withNorm(true))
                        .feedForward(FeedForward.plain(45, Activation.GELU, true))
                        .head(Head.plain(true)
                                .withBias(true)
                                .withNorm(false)
                                .withTransform(Optional.of(Activation.GELU))));
    }

    private static ModelConfigBuilder headNorms(Scope scope, Norm norm) {
        return decoder()
                .attention(Attention.of(4, 2, 8)
                        .withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, scope)))
                        .withClip(OptionalDouble.of(1.1)));
    }

    /** A dense layer, then experts. */
    private static ModelConfigBuilder experts(Experts experts) {
        return decoder()
                .feedForward(layer -> layer == 0
                        ? FeedForward.gated(45, Activation.SILU)
                        : FeedForward.experts(17, Activation.SILU, experts));
    }

    private static ModelConfigBuilder decoder() {
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(VOCABULARY)
                .hiddenSize(HIDDEN)
                .layers(2)
                .attention(Attention.of(4, 2, 8))
                .positions(Rotary.of(8, 100))
                .feedForward(FeedForward.gated(45, Activation.SILU))
                .norm(new Norm.Rms(1e-5));
    }

    private static int[] tokens(int count) {
        return new Random(count).ints(count, 0, VOCABULARY).toArray();
    }

    /** Weights that keep the size of what they are multiplied with, the same for the same key. */
    private static WeightSource random(ModelConfig config) {
        Map<TensorKey, Tensor> tensors = new HashMap<>();
        for (TensorKey key : config.tensors()) {
            Random random = new Random(31L * key.role().ordinal()
                    + 7L * key.part().ordinal()
                    + 1009L * key.layer()
                    + 100_003L * key.expert());
            long[] shape = config.shape(key);
            boolean matrix = key.role().matrix() && key.part() == Part.WEIGHT;
            double size = matrix ? 1.3 / Math.sqrt(shape[1]) : 0.3;
            double middle = key.role().norm()
                            && key.part() == Part.WEIGHT
                            && !config.norm(key).unitOffset()
                    ? 1
                    : 0;
            float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (middle + size * random.nextGaussian());
            }
            tensors.put(key, Tensor.ofFloats(key.toString(), values, shape));
        }
        return new WeightSource() {
            @Override
            public Tensor tensor(TensorKey key) {
                boolean tied = config.tiedHead() && key.equals(TensorKey.weight(Role.HEAD));
                return Optional.ofNullable(tensors.get(tied ? TensorKey.weight(Role.EMBEDDING) : key))
                        .orElseThrow(() -> new IllegalArgumentException("asked for " + key));
            }

            @Override
            public boolean has(TensorKey key) {
                return tensors.containsKey(key);
            }
        };
    }

    private static void assertClose(float[] actual, double[][] expected) {
        int width = expected[0].length;
        assertThat(actual).hasSize(expected.length * width);
        double worst = 0;
        for (int i = 0; i < actual.length; i++) {
            worst = Math.max(worst, Math.abs(actual[i] - expected[i / width][i % width]));
        }
        assertThat(worst).isCloseTo(0, within(TOLERANCE));
    }
}
