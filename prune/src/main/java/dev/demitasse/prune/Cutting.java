package dev.demitasse.prune;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.lang.foreign.Arena;
import java.util.stream.IntStream;

/**
 * Takes the rows and columns of the parts that stay out of a model's tensors.
 *
 * <p>Fewer channels change what an RMS norm divides by: x / rms(x) over the H' kept channels is √(H'/H · 1/s) times
 * what it was over all H, s the kept channels' part of the energy Σx². The norms' weights are multiplied by the
 * inverse, √(s · H/H'), so that what the layers read keeps its size; where the channels cut were zero, the result is
 * exact but for epsilon.
 */
final class Cutting {
    private final Checkpoint source;
    private final Selection selection;
    private final Scores scores;

    Cutting(Checkpoint source, Selection selection, Scores scores) {
        this.source = source;
        this.selection = selection;
        this.scores = scores;
    }

    /** The pruned model's tensor {@code key}, in the source's format, in memory of {@code arena}. */
    Tensor cut(TensorKey key, Arena arena) {
        Role role = key.role();
        int kept = key.layer();
        TensorKey whole = role.perLayer() ? key.inLayer(selection.layers()[kept]) : key;
        Tensor tensor = source.tensor(whole);
        if (!role.matrix()) {
            return vector(tensor, selection.channels(), normScale(whole), arena);
        }
        int[] rows = rows(role, kept);
        if (key.part() == Part.BIAS) {
            return vector(tensor, rows, 1, arena);
        }
        return matrix(tensor, rows, columns(role, kept), arena);
    }

    private static Tensor vector(Tensor tensor, int[] kept, double scale, Arena arena) {
        float[] values = tensor.toFloats();
        float[] cut = new float[kept.length];
        for (int i = 0; i < kept.length; i++) {
            cut[i] = (float) (values[kept[i]] * scale);
        }
        Tensor result = allocate(tensor, arena, kept.length);
        result.writeRow(0, cut, 0);
        return result;
    }

    private static Tensor matrix(Tensor tensor, int[] rows, int[] columns, Arena arena) {
        Tensor result = allocate(tensor, arena, rows.length, columns.length);
        float[] row = new float[tensor.columns()];
        float[] cut = new float[columns.length];
        for (int i = 0; i < rows.length; i++) {
            tensor.readRow(rows[i], row, 0);
            for (int j = 0; j < columns.length; j++) {
                cut[j] = row[columns[j]];
            }
            result.writeRow(i, cut, 0);
        }
        return result;
    }

    private static Tensor allocate(Tensor like, Arena arena, long... shape) {
        return new Tensor(
                like.name(), like.format(), shape, arena.allocate(like.format().bytes(Tensor.elements(shape))));
    }

    private int[] rows(Role role, int kept) {
        ModelConfig config = source.config();
        return switch (role) {
            case EMBEDDING, HEAD -> all(config.vocabularySize());
            case QUERY -> headRows(selection.groups()[kept], config.attention().groupSize());
            case KEY -> headRows(selection.groups()[kept], 1);
            case VALUE -> headRows(selection.groups()[kept], 1);
            case GATE, UP -> selection.neurons()[kept];
            case ATTENTION_OUTPUT, DOWN -> selection.channels();
            default -> throw new IllegalArgumentException("pruning knows no " + role);
        };
    }

    private int[] columns(Role role, int kept) {
        return switch (role) {
            case EMBEDDING, HEAD, QUERY, KEY, VALUE, GATE, UP -> selection.channels();
            case ATTENTION_OUTPUT ->
                headRows(selection.groups()[kept], source.config().attention().groupSize());
            case DOWN -> selection.neurons()[kept];
            default -> throw new IllegalArgumentException("pruning knows no " + role);
        };
    }

    /** Source rows of the heads of {@code groups}, {@code perGroup} to each. */
    private int[] headRows(int[] groups, int perGroup) {
        int width = source.config().attention().headDimension();
        int[] rows = new int[groups.length * perGroup * width];
        for (int i = 0; i < rows.length; i++) {
            int head = groups[i / width / perGroup] * perGroup + i / width % perGroup;
            rows[i] = head * width + i % width;
        }
        return rows;
    }

    private double normScale(TensorKey key) {
        int hidden = source.config().hiddenSize();
        int[] channels = selection.channels();
        if (channels.length == hidden) {
            return 1;
        }
        int row = key.role() == Role.FINAL_NORM
                ? scores.finalNorm()
                : key.role() == Role.ATTENTION_NORM
                        ? Scores.attentionNorm(key.layer())
                        : Scores.feedForwardNorm(key.layer());
        double share = Selection.share(scores.channelEnergy()[row], channels);
        return Math.sqrt(share * hidden / channels.length);
    }

    private static int[] all(int count) {
        return IntStream.range(0, count).toArray();
    }
}
