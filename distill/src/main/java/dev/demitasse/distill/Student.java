package dev.demitasse.distill;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.Optional;

/** Where the model that is trained comes from. */
public sealed interface Student {
    /** A checkpoint, for instance a pruned one, trained further. */
    record Existing(Path checkpoint) implements Student {}

    /** New weights drawn from the seed; see {@link StartingWeights#random}. */
    record Random(ModelConfig config, Optional<Tokenizer> tokenizer) implements Student {}

    /** A smaller model made of a larger one's layers; see {@link StartingWeights#layersOf}. */
    record LayersOf(Path source, ModelConfig config) implements Student {}
}
