package dev.demitasse.export.onnx;

import dev.demitasse.export.onnx.MadeUpCheckpoint.AnyFamily;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Head;
import dev.demitasse.model.InputEmbedding;
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
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/** Small models that between them have every form a decoder's configuration can take. */
enum Forms {
    GPT_J(in(Pairing.INTERLEAVED)
            .residual(Residual.PARALLEL)
            .norm(new Norm.Layer(1e-5))
            .attention(Attention.of(4, 4, 8))
            .feedForward(FeedForward.plain(48, Activation.GELU_TANH, true))
            .positions(rotary(4, new RopeScaling.None(), Pairing.INTERLEAVED))
            .head(Head.plain(false).withBias(true))),
    NEOX(in(Pairing.HALVES)
            .residual(Residual.PARALLEL_TWO_NORMS)
            .norm(new Norm.Layer(1e-5))
            .attention(Attention.of(4, 4, 8).withBiases(Attention.PROJECTIONS))
            .feedForward(FeedForward.plain(48, Activation.GELU, true))
            .positions(rotary(2, new RopeScaling.None(), Pairing.HALVES))),
    GEMMA_2(ModelConfig.of(new AnyFamily(Pairing.HALVES, true))
            .vocabularySize(50)
            .hiddenSize(24)
            .layers(3)
            .residual(Residual.SANDWICH_NORM)
            .norm(new Norm.Rms(1e-6, true))
            .embedding(InputEmbedding.plain(24).withScale(Math.sqrt(24)))
            .attention(layer -> Attention.of(4, 2, 8)
                    .withScale(1 / Math.sqrt(11))
                    .withSoftCap(OptionalDouble.of(5))
                    .withSlidingWindow(layer % 2 == 0 ? 3 : Attention.FULL))
            .feedForward(FeedForward.gated(40, Activation.GELU_TANH))
            .head(Head.plain(true).withSoftCap(OptionalDouble.of(3)))),
    GEMMA_3(ModelConfig.of(new AnyFamily(Pairing.HALVES, true))
            .vocabularySize(50)
            .hiddenSize(24)
            .layers(3)
            .residual(Residual.SANDWICH_NORM)
            .norm(new Norm.Rms(1e-6, true))
            .attention(layer -> Attention.of(2, 1, 8)
                    .withQueryKeyNorm(normed(new Norm.Rms(1e-6, true), Scope.HEAD))
                    .withSlidingWindow(layer < 2 ? 4 : Attention.FULL))
            .positions(layer -> layer < 2 ? Rotary.of(8, 10_000) : rotary(8, new RopeScaling.Linear(8), Pairing.HALVES))
            .feedForward(FeedForward.gated(40, Activation.GELU_TANH))),
    OLMO(in(Pairing.HALVES)
            .norm(new Norm.Layer(1e-5, false, false))
            .attention(Attention.of(4, 2, 8).withClip(OptionalDouble.of(0.7)))
            .feedForward(FeedForward.gated(40, Activation.SILU))),
    OLMO_2(in(Pairing.HALVES)
            .residual(Residual.OUTPUT_NORM)
            .attention(Attention.of(4, 2, 8).withQueryKeyNorm(normed(new Norm.Rms(1e-6), Scope.ALL_HEADS)))
            .feedForward(FeedForward.gated(40, Activation.SILU))),
    COHERE(in(Pairing.INTERLEAVED)
            .residual(Residual.PARALLEL)
            .norm(new Norm.Layer(1e-5, true, false))
            .attention(
                    Attention.of(4, 2, 8).withQueryKeyNorm(normed(new Norm.Layer(1e-5, true, false), Scope.EACH_HEAD)))
            .feedForward(FeedForward.gated(40, Activation.SILU))
            .positions(rotary(8, new RopeScaling.None(), Pairing.INTERLEAVED))
            .head(Head.plain(true).withScale(0.25))),
    STABLELM_2(in(Pairing.HALVES)
            .residual(Residual.PARALLEL)
            .norm(new Norm.Layer(1e-5))
            .attention(Attention.of(4, 2, 8).withQueryKeyNorm(normed(new Norm.Layer(1e-5), Scope.EACH_HEAD)))
            .feedForward(FeedForward.gated(40, Activation.SILU))),
    BLOOM(in(Pairing.HALVES)
            .norm(new Norm.Layer(1e-5))
            .embedding(InputEmbedding.plain(24).withNorm(true))
            .attention(Attention.of(3, 3, 8).withBiases(Attention.PROJECTIONS))
            .feedForward(FeedForward.plain(48, Activation.GELU_TANH, true))
            .positions(new Alibi(8, false))),
    FALCON_ALIBI(in(Pairing.HALVES)
            .residual(Residual.PARALLEL)
            .norm(new Norm.Layer(1e-5))
            .attention(Attention.of(6, 2, 8))
            .feedForward(FeedForward.plain(48, Activation.GELU, false))
            .positions(new Alibi(8, true))),
    MPT(in(Pairing.HALVES)
            .norm(new Norm.Layer(1e-5, true, false))
            .attention(Attention.of(4, 1, 8)
                    .withClip(OptionalDouble.of(0.8))
                    .withQueryKeyNorm(normed(new Norm.Layer(1e-5, true, false), Scope.ALL_HEADS)))
            .feedForward(FeedForward.plain(48, Activation.GELU, false))
            .positions(new Alibi(4, false))),
    GPT_2(in(Pairing.HALVES)
            .norm(new Norm.Layer(1e-5))
            .embedding(InputEmbedding.plain(24).withPositions(32, 0))
            .attention(layer -> Attention.of(4, 4, 6)
                    .withBiases(Attention.PROJECTIONS)
                    .withScale(0.3 / (layer + 1))
                    .withSlidingWindow(layer == 0 ? 4 : Attention.FULL))
            .feedForward(FeedForward.plain(48, Activation.GELU_TANH, true))
            .positions(new Positions.None())
            .head(Head.plain(true))),
    OPT_350M(in(Pairing.HALVES)
            .residual(Residual.POST_NORM)
            .norm(new Norm.Layer(1e-5))
            .embedding(InputEmbedding.plain(12).withPositions(34, 2))
            .attention(Attention.of(4, 4, 6).withBiases(Attention.PROJECTIONS))
            .feedForward(FeedForward.plain(48, Activation.RELU, true))
            .positions(new Positions.None())
            .head(Head.plain(true).withNorm(false))),
    OPENELM(in(Pairing.HALVES)
            .attention(layer ->
                    Attention.of(2 + 2 * layer, 1 + layer, 8).withQueryKeyNorm(normed(new Norm.Rms(1e-6), Scope.HEAD)))
            .feedForward(layer -> FeedForward.gated(16 + 8 * layer, Activation.SILU))
            .head(Head.plain(true))),
    GRANITE(in(Pairing.HALVES)
            .residualScale(0.22)
            .embedding(InputEmbedding.plain(24).withScale(3))
            .attention(Attention.of(4, 2, 8).withScale(0.1).withBiases(Set.of(Role.QUERY)))
            .feedForward(FeedForward.gated(40, Activation.SILU).withBias(true))
            .positions(rotary(8, new RopeScaling.Yarn(4, 8, 32, 1, 1.2), Pairing.HALVES))
            .head(Head.plain(true).withScale(0.5))),
    LONGROPE(in(Pairing.HALVES)
            .attention(Attention.of(4, 2, 8).withSlidingWindow(7))
            .feedForward(FeedForward.gated(40, Activation.SILU))
            .positions(rotary(
                    6,
                    new RopeScaling.LongRope(List.of(1.0, 1.2, 1.4), List.of(1.5, 3.0, 6.0), 9, 1.3),
                    Pairing.HALVES))),
    DYNAMIC(in(Pairing.INTERLEAVED)
            .attention(Attention.of(4, 2, 8))
            .feedForward(FeedForward.gated(40, Activation.SILU))
            .positions(rotary(8, new RopeScaling.Dynamic(2.5, 9), Pairing.INTERLEAVED))),
    MIXTRAL(in(Pairing.HALVES)
            .attention(Attention.of(4, 2, 8))
            .feedForward(FeedForward.experts(20, Activation.SILU, new Experts(5, 2, true, 0)))),
    QWEN_2_MOE(in(Pairing.HALVES)
            .layers(3)
            .attention(Attention.of(4, 2, 8).withBiases(Set.of(Role.QUERY, Role.KEY, Role.VALUE)))
            .feedForward(layer -> layer == 1
                    ? FeedForward.gated(40, Activation.SILU)
                    : FeedForward.experts(20, Activation.SILU, new Experts(6, 3, false, 28)))),
    ONE_EXPERT(in(Pairing.HALVES)
            .residual(Residual.PARALLEL)
            .attention(Attention.of(4, 4, 8))
            .feedForward(FeedForward.experts(20, Activation.GELU, new Experts(1, 1, false, 0))));

    private final ModelConfig config;

    Forms(ModelConfigBuilder builder) {
        this.config = builder.build();
    }

    ModelConfig config() {
        return config;
    }

    private static ModelConfigBuilder in(Pairing pairing) {
        return ModelConfig.of(new AnyFamily(pairing, false))
                .vocabularySize(50)
                .hiddenSize(24)
                .layers(2);
    }

    private static Rotary rotary(int dimensions, RopeScaling scaling, Pairing pairing) {
        return new Rotary(dimensions, 100, scaling, pairing);
    }

    private static Optional<QueryKeyNorm> normed(Norm norm, Scope scope) {
        return Optional.of(new QueryKeyNorm(norm, scope));
    }
}
