package dev.demitasse.recipes.language;

/** What a stage does. */
public sealed interface Work permits Pretrain, Prune, Distill, Quantize, Export {
    /** The key that it stands under. */
    String name();
}
