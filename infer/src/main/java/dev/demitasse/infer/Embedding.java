package dev.demitasse.infer;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;

/** Token ids to the first hidden states. */
public final class Embedding {
    private Embedding() {}

    /**
     * Writes the embedding of each of {@code ids} as a row of {@code hidden [ids, hiddenSize]}.
     *
     * @throws InvalidRequestException if an id is not in the vocabulary
     */
    public static void lookup(ModelConfig config, WeightSource source, int[] ids, float[] hidden) {
        TensorKey key = TensorKey.weight(Role.EMBEDDING);
        Tensor weight = source.tensor(key);
        int width = config.hiddenSize();
        for (int token = 0; token < ids.length; token++) {
            if (ids[token] < 0 || ids[token] >= config.vocabularySize()) {
                throw new InvalidRequestException(
                        "token " + token,
                        "has the id %,d, the model's vocabulary %,d".formatted(ids[token], config.vocabularySize()),
                        "use the tokenizer that came with the model");
            }
            weight.readRow(ids[token], hidden, token * width);
        }
        if (weight.format() == ScalarFormat.I8) {
            float[] scales = source.tensor(key.part(Part.SCALE)).toFloats();
            for (int i = 0; i < ids.length * width; i++) {
                hidden[i] *= scales[ids[i / width]];
            }
        }
    }
}
