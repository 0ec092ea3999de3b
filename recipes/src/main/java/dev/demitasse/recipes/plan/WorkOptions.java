package dev.demitasse.recipes.plan;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Head;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.SpecialTokens;
import dev.demitasse.prune.Importance;
import dev.demitasse.prune.Keep;
import dev.demitasse.prune.PruneOptions;
import dev.demitasse.quantize.Budget;
import dev.demitasse.quantize.QuantizeOptions;
import dev.demitasse.quantize.Transform;
import dev.demitasse.quantize.mix.Mix;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What a recipe says of a model's sizes, in the words of the modules that make it. */
public final class WorkOptions {
    private static final double NORM_EPSILON = 1e-5;

    private WorkOptions() {}

    /** What to keep of a model. */
    public static PruneOptions of(Prune prune) {
        return new PruneOptions(
                keep(prune.feedForward()),
                keep(prune.heads()),
                keep(prune.layers()),
                keep(prune.hidden()),
                switch (prune.importance()) {
                    case ACTIVATION -> Importance.ACTIVATION;
                    case MAGNITUDE -> Importance.MAGNITUDE;
                },
                prune.multipleOf().map(OptionalInt::of).orElse(OptionalInt.empty()));
    }

    private static Keep keep(Prune.Keep keep) {
        return switch (keep) {
            case Prune.Keep.Share share -> share.share() == 1 ? Keep.all() : Keep.fraction(share.share());
            case Prune.Keep.Count count -> Keep.count(count.count());
        };
    }

    /** How to quantize where formats are not chosen by a limit. */
    public static QuantizeOptions of(Quantize quantize) {
        return of(quantize, quantize.mix());
    }

    /** How many bytes the matrices that are rounded may take, if that is limited. */
    public static OptionalLong limit(Quantize quantize, ModelConfig config) {
        return quantize.limit()
                .map(limit -> OptionalLong.of(
                        switch (limit) {
                            case Quantize.Limit.Size size -> size.bytes();
                            case Quantize.Limit.Bits bits -> Budget.bytes(config, bits.bits());
                        }))
                .orElse(OptionalLong.empty());
    }

    /** How to quantize to {@code mix}. */
    public static QuantizeOptions of(Quantize quantize, Mix mix) {
        return new QuantizeOptions(
                switch (quantize.method()) {
                    case RTN -> QuantizeOptions.Method.RTN;
                    case IMPORTANCE -> QuantizeOptions.Method.IMPORTANCE;
                    case GPTQ -> QuantizeOptions.Method.GPTQ;
                    case SMOOTHQUANT -> QuantizeOptions.Method.SMOOTHQUANT;
                    case AWQ -> QuantizeOptions.Method.AWQ;
                    case SIGNROUND -> QuantizeOptions.Method.SIGNROUND;
                },
                mix,
                quantize.damping(),
                quantize.actOrder(),
                quantize.floatTarget(),
                quantize.refinements(),
                quantize.alpha(),
                switch (quantize.transform()) {
                    case NONE -> Transform.NONE;
                    case SMOOTHQUANT -> Transform.SMOOTHQUANT;
                    case AWQ -> Transform.AWQ;
                },
                quantize.outliers(),
                quantize.clip(),
                quantize.steps());
    }

    /**
     * A new Llama.
     *
     * @param vocabularySize of its tokenizer, which may have learned fewer tokens than it was asked for
     * @param begin the tokenizer's first token of a text; the end of one too, as windows hold text after text
     */
    public static ModelConfig config(Pretrain pretrain, int vocabularySize, OptionalInt begin) {
        int headDimension = pretrain.hiddenSize() / pretrain.heads();
        List<Integer> end = begin.stream().boxed().toList();
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(vocabularySize)
                .hiddenSize(pretrain.hiddenSize())
                .layers(pretrain.layers())
                .attention(Attention.of(pretrain.heads(), pretrain.keyValueHeads(), headDimension))
                .feedForward(FeedForward.gated(pretrain.intermediateSize(), Activation.SILU))
                .norm(new Norm.Rms(NORM_EPSILON))
                .positions(Rotary.of(headDimension, pretrain.ropeTheta()))
                .maximumPositions(pretrain.maximumPositions())
                .head(Head.plain(pretrain.tiedHead()))
                .specialTokens(new SpecialTokens(begin, end, OptionalInt.empty()))
                .build();
    }

    /** The teacher's configuration with a student's sizes. */
    public static ModelConfig config(Distill.Student sizes, ModelConfig teacher) {
        Attention attention = teacher.attention();
        int heads = sizes.heads().orElse(attention.heads());
        int keyValueHeads = sizes.keyValueHeads().orElse(Math.min(heads, attention.keyValueHeads()));
        if (heads % keyValueHeads != 0) {
            throw new InvalidRequestException(
                    "distill.student.kv_heads",
                    "must divide heads (%d), is %d".formatted(heads, keyValueHeads),
                    "give both");
        }
        return teacher.withHiddenSize(sizes.hiddenSize().orElse(teacher.hiddenSize()))
                .withLayers(sizes.layers().orElse(teacher.layers()))
                .withEachBlock(block -> block.withAttention(block.attention().withHeads(heads, keyValueHeads))
                        .withFeedForward(block.feedForward()
                                .withIntermediateSize(sizes.intermediateSize()
                                        .orElse(block.feedForward().intermediateSize()))));
    }
}
