package dev.demitasse.model.reference;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Head;
import dev.demitasse.model.InputEmbedding;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.ModelConfigBuilder;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.QueryKeyNorm;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Residual;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.SpecialTokens;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Tiny models that between them have every form a {@link ModelConfig} can describe. */
public final class ModelForms {
    private static final int VOCABULARY = 11;
    private static final int HIDDEN = 12;

    private ModelForms() {}

    /** Each with what is special about it, and a family that has it. */
    public static Map<String, ModelConfig> all() {
        Map<String, ModelConfig> forms = new LinkedHashMap<>();
        forms.put("clipped, norms over all heads (OLMoE)", clipped());
        forms.put("parallel, norms of each head (Cohere)", eachHead());
        forms.put("sandwich, soft caps, windows, rotary by layer (Gemma)", sandwich());
        forms.put("ALiBi with three heads, embedding norm (BLOOM)", alibi());
        forms.put("scaled ALiBi, multi-query, two parallel norms (Falcon)", scaledAlibi());
        forms.put("post-norm, projections, learned positions (OPT-350M)", narrowEmbedding());
        forms.put("encoder with segments (BERT)", encoder(0, 4).build());
        forms.put("encoder that skips padding (RoBERTa)", encoder(2, 1).build());
        forms.put("encoder with a window and ALiBi", windowedEncoder());
        forms.put("normalized experts (Mixtral)", experts(new Experts(4, 2, true, 0)));
        forms.put("shared expert, dense first layer (Qwen2-MoE)", experts(new Experts(5, 3, false, 6)));
        forms.put("one expert of many (Switch)", experts(new Experts(6, 1, false, 0)));
        forms.put("output norms without weights, YaRN (OLMo)", outputNorm());
        forms.put("heads of its own in each layer (OpenELM)", perLayer());
        forms.put("dynamic rope", scaledRope(new RopeScaling.Dynamic(4, 3)));
        forms.put("longrope", scaledRope(new RopeScaling.LongRope(List.of(1.0, 2.0), List.of(3.0, 5.0), 4, 1.3)));
        return forms;
    }

    private static ModelConfigBuilder base() {
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(VOCABULARY)
                .hiddenSize(HIDDEN)
                .layers(2)
                .attention(Attention.of(3, 3, 4))
                .feedForward(FeedForward.gated(10, Activation.SILU))
                .norm(new Norm.Rms(1e-5))
                .specialTokens(new SpecialTokens(OptionalInt.empty(), List.of(), OptionalInt.of(1)))
                .maximumPositions(32);
    }

    private static Attention normed(Attention attention, Norm norm, Scope scope) {
        return attention.withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, scope)));
    }

    private static ModelConfig clipped() {
        Attention attention = Attention.of(4, 2, 4).withClip(OptionalDouble.of(0.8));
        return base().attention(normed(attention, new Norm.Rms(1e-6), Scope.ALL_HEADS))
                .build();
    }

    private static ModelConfig eachHead() {
        return base().attention(normed(Attention.of(4, 2, 4), new Norm.Layer(1e-5, true, false), Scope.EACH_HEAD))
                .norm(new Norm.Layer(1e-5, true, false))
                .residual(Residual.PARALLEL)
                .head(Head.plain(true).withScale(0.25))
                .build();
    }

    private static ModelConfig sandwich() {
        Attention attention = normed(Attention.of(2, 1, 8), new Norm.Rms(1e-6), Scope.HEAD)
                .withScale(0.3)
                .withSoftCap(OptionalDouble.of(1.5));
        return base().layers(3)
                .embedding(InputEmbedding.plain(HIDDEN).withScale(Math.sqrt(HIDDEN)))
                .attention(layer -> attention.withSlidingWindow(layer == 2 ? Attention.FULL : 3))
                .positions(layer -> Rotary.of(8, layer == 2 ? 1e6 : 1e4))
                .feedForward(FeedForward.gated(10, Activation.GELU_TANH))
                .residual(Residual.SANDWICH_NORM)
                .head(Head.plain(true).withSoftCap(OptionalDouble.of(2)))
                .build();
    }

    private static ModelConfig alibi() {
        return base().attention(Attention.of(3, 3, 4).withBiases(Attention.PROJECTIONS))
                .positions(new Alibi(8, false))
                .embedding(InputEmbedding.plain(HIDDEN).withNorm(true))
                .norm(new Norm.Layer(1e-5))
                .feedForward(FeedForward.plain(10, Activation.GELU_TANH, true))
                .build();
    }

    private static ModelConfig scaledAlibi() {
        return base().attention(Attention.of(6, 1, 2))
                .positions(new Alibi(4, true))
                .norm(new Norm.Layer(1e-5))
                .residual(Residual.PARALLEL_TWO_NORMS)
                .feedForward(FeedForward.plain(10, Activation.GELU, false))
                .build();
    }

    private static ModelConfig narrowEmbedding() {
        return base().attention(Attention.of(3, 3, 4).withBiases(Attention.PROJECTIONS))
                .positions(new Positions.None())
                .embedding(InputEmbedding.plain(8).withPositions(34, 2))
                .norm(new Norm.Layer(1e-5))
                .residual(Residual.POST_NORM)
                .feedForward(FeedForward.plain(10, Activation.RELU, true))
                .head(Head.plain(true).withNorm(false))
                .build();
    }

    private static ModelConfigBuilder encoder(int positionOffset, int tokenTypes) {
        return base().attention(Attention.of(3, 3, 4).withBiases(Attention.PROJECTIONS))
                .positions(new Positions.None())
                .embedding(InputEmbedding.plain(HIDDEN)
                        .withPositions(34, positionOffset)
                        .withTokenTypes(tokenTypes)
                        .withNorm(true))
                .norm(new Norm.Layer(1e-12))
                .residual(Residual.POST_NORM)
                .feedForward(FeedForward.plain(10, Activation.GELU, true))
                .head(Head.plain(true).withNorm(false).withBias(true).withTransform(Optional.of(Activation.GELU)))
                .causal(false);
    }

    private static ModelConfig windowedEncoder() {
        return encoder(0, 2)
                .attention(Attention.of(3, 3, 4).withSlidingWindow(3))
                .positions(new Alibi(8, false))
                .build();
    }

    private static ModelConfig experts(Experts experts) {
        FeedForward sparse = FeedForward.experts(5, Activation.SILU, experts);
        FeedForward dense = FeedForward.gated(10, Activation.SILU);
        return base().feedForward(layer -> experts.sharedSize() > 0 && layer == 0 ? dense : sparse)
                .build();
    }

    private static ModelConfig outputNorm() {
        return base().attention(Attention.of(2, 2, 8))
                .positions(new Rotary(4, 100, new RopeScaling.Yarn(4, 16, 32, 1, 1.2), Positions.Pairing.HALVES))
                .norm(new Norm.Layer(1e-5, false, false))
                .residual(Residual.OUTPUT_NORM)
                .residualScale(0.7)
                .build();
    }

    private static ModelConfig perLayer() {
        return base().layers(3)
                .attention(layer -> normed(Attention.of(2 * (layer + 1), layer + 1, 4), new Norm.Rms(1e-6), Scope.HEAD))
                .feedForward(layer -> FeedForward.gated(6 + 2 * layer, Activation.SILU))
                .build();
    }

    private static ModelConfig scaledRope(RopeScaling scaling) {
        return base().positions(Rotary.of(4, 10_000).withScaling(scaling)).build();
    }
}
