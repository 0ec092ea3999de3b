package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.InputEmbedding;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TokenInput;
import java.util.Optional;

/** Token ids to the first hidden states, as {@link InputEmbedding} says. */
public final class Embedding {
    private final ModelConfig config;
    private final InputEmbedding form;
    private final Workers workers;
    private final Tensor tokens;
    private final float[] scales;
    private final Optional<Tensor> positions;
    private final Optional<Tensor> segments;
    private final Optional<Linear> projection;
    private final Optional<Normalization> norm;

    private Embedding(ModelConfig config, Projections source, Workers workers) {
        this.config = config;
        this.form = config.embedding();
        this.workers = workers;
        TensorKey key = TensorKey.weight(Role.EMBEDDING);
        this.tokens = source.tensor(key);
        this.scales = tokens.format().rowScaled()
                ? source.tensor(key.part(Part.SCALE)).toFloats()
                : new float[0];
        this.positions = form.positions() > 0
                ? Optional.of(source.tensor(TensorKey.weight(Role.POSITION_EMBEDDING)))
                : Optional.empty();
        this.segments = form.tokenTypes() > 0
                ? Optional.of(source.tensor(TensorKey.weight(Role.TOKEN_TYPE_EMBEDDING)))
                : Optional.empty();
        this.projection =
                form.width() != config.hiddenSize() ? Optional.of(source.linear(Role.PROJECT_IN)) : Optional.empty();
        this.norm = form.norm()
                ? Optional.of(Normalization.load(config, source, Role.EMBEDDING_NORM, TensorKey.NO_LAYER))
                : Optional.empty();
    }

    static Embedding load(ModelConfig config, Projections source, Workers workers) {
        return new Embedding(config, source, workers);
    }

    /**
     * Writes the first hidden state of each of {@code ids}, a sequence from its start, as a row of
     * {@code hidden [ids, hiddenSize]}.
     *
     * @throws InvalidRequestException if an id is not in the vocabulary, or there are more than the model has positions
     */
    public static void lookup(ModelConfig config, WeightSource source, int[] ids, float[] hidden) {
        float[] states =
                load(config, Projections.exact(config, source), Workers.COMMON).lookup(TokenInput.of(ids));
        System.arraycopy(states, 0, hidden, 0, states.length);
    }

    /** The first hidden states of a whole sequence, {@code [T, hiddenSize]}, in a new array. */
    float[] lookup(TokenInput input) {
        int[] rows = positions.isPresent() ? input.positionRows(config) : new int[0];
        int[] types = segments.isPresent() ? input.segments(config) : new int[0];
        return states(input.ids(), rows, types);
    }

    /** The first hidden states of {@code ids}, which follow {@code position} others, in a new array. */
    float[] lookup(int[] ids, int position) {
        if (position == 0) {
            return lookup(TokenInput.of(ids));
        }
        int[] rows = new int[positions.isPresent() ? ids.length : 0];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = form.positionOffset() + position + i;
            if (rows[i] >= form.positions()) {
                throw new InvalidRequestException(
                        "context",
                        "%,d tokens, but the model has learned %,d positions"
                                .formatted(position + ids.length, form.positions() - form.positionOffset()),
                        "shorten the text");
            }
        }
        return states(ids, rows, new int[segments.isPresent() ? ids.length : 0]);
    }

    private float[] states(int[] ids, int[] positionRows, int[] types) {
        float[] rows = tokenRows(ids);
        if (form.scale() != 1) {
            Elementwise.scale(rows, 0, rows.length, (float) form.scale());
        }
        float[] hidden = projection.isPresent()
                ? projection.get().multiply(new LinearInput(rows, ids.length, form.width()), workers)
                : rows;
        positions.ifPresent(table -> add(table, positionRows, hidden));
        segments.ifPresent(table -> add(table, types, hidden));
        norm.ifPresent(each -> each.replace(hidden, ids.length, workers));
        return hidden;
    }

    private float[] tokenRows(int[] ids) {
        int width = form.width();
        float[] rows = new float[Math.multiplyExact(ids.length, width)];
        for (int token = 0; token < ids.length; token++) {
            if (ids[token] < 0 || ids[token] >= config.vocabularySize()) {
                throw new InvalidRequestException(
                        "token " + token,
                        "has the id %,d, the model's vocabulary %,d".formatted(ids[token], config.vocabularySize()),
                        "use the tokenizer that came with the model");
            }
            tokens.readRow(ids[token], rows, token * width);
            if (scales.length > 0) {
                Elementwise.scale(rows, token * width, width, scales[ids[token]]);
            }
        }
        return rows;
    }

    private void add(Tensor table, int[] rows, float[] hidden) {
        int width = config.hiddenSize();
        float[] row = new float[width];
        for (int token = 0; token < rows.length; token++) {
            table.readRow(rows[token], row, 0);
            Elementwise.addScaled(row, 0, 1, hidden, token * width, width);
        }
    }
}
