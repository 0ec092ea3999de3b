package dev.demitasse.recipes.plan;

import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Work;
import java.util.Locale;
import java.util.Optional;

/** What works do, in a few words: {@code prune ffn 0.75}, {@code quantize gptq q4_0}. */
final class Descriptions {
    private Descriptions() {}

    static String of(Work work) {
        return switch (work) {
            case Pretrain pretrain -> "pretrain %d layers of %d".formatted(pretrain.layers(), pretrain.hiddenSize());
            case Prune prune ->
                "prune" + kept(" ffn", prune.feedForward()) + kept(" heads", prune.heads())
                        + kept(" hidden", prune.hidden()) + kept(" layers", prune.layers());
            case Distill distill -> "distill from " + distill.teacher();
            case Quantize quantize ->
                "quantize %s %s"
                        .formatted(word(quantize.method()), quantize.mix().id());
            case Export export -> "export " + word(export.target()) + weights(export.weights());
        };
    }

    private static String kept(String what, Prune.Keep keep) {
        return switch (keep) {
            case Prune.Keep.Share share -> share.share() == 1 ? "" : what + " " + share.share();
            case Prune.Keep.Count count -> what + " " + count.count();
        };
    }

    private static String weights(Optional<TensorFormat> weights) {
        return weights.map(format -> " " + format.weightName()).orElse("");
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
