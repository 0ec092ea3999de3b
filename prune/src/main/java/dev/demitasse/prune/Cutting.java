package dev.demitasse.prune;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.QueryKeyNorm.Scope;
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
 * exact but for epsilon. A layer norm is treated alike, as if the mean of its input were 0.
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
        int[] rows = rows(whole, kept);
        if (key.part() == Part.WEIGHT && role.matrix()) {
            return matrix(tensor, rows, columns(whole, kept), arena);
        }
        double scale = role.norm() && key.part() == Part.WEIGHT ? normScale(whole) : 1;
        return vector(tensor, rows, scale, source.config(), whole, arena);
    }

    private static Tensor vector(
            Tensor tensor, int[] kept, double scale, ModelConfig config, TensorKey key, Arena arena) {
        float[] values = tensor.toFloats();
        // A weight stored less 1 is scaled as a whole.
        float offset = key.role().norm()
                        && key.part() == Part.WEIGHT
                        && config.norm(key).unitOffset()
                ? 1
                : 0;
        float[] cut = new float[kept.length];
        for (int i = 0; i < kept.length; i++) {
            cut[i] = (float) ((values[kept[i]] + offset) * scale) - offset;
        }
        long[] shape = tensor.shape();
        shape[0] = kept.length / (tensor.elements() / shape[0]);
        Tensor result = allocate(tensor, arena, shape);
        for (int row = 0; row < result.rows(); row++) {
            result.writeRow(row, cut, row * result.columns());
        }
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

    /** Rows of the source's tensor that stay; elements of a norm. */
    private int[] rows(TensorKey key, int kept) {
        ModelConfig config = source.config();
        return switch (key.role()) {
            case QUERY -> headRows(selection.groups()[kept], config.attention().groupSize());
            case KEY, VALUE -> headRows(selection.groups()[kept], 1);
            case QUERY_NORM -> normRows(key, kept, config.attention().groupSize());
            case KEY_NORM -> normRows(key, kept, 1);
            case GATE, UP -> selection.neurons()[kept];
            case ATTENTION_OUTPUT,
                    DOWN,
                    EXPERT_DOWN,
                    SHARED_DOWN,
                    EMBEDDING_NORM,
                    ATTENTION_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_NORM,
                    FEED_FORWARD_POST_NORM,
                    FINAL_NORM,
                    HEAD_TRANSFORM,
                    HEAD_NORM,
                    PROJECT_IN -> selection.channels();
            case EMBEDDING,
                    POSITION_EMBEDDING,
                    TOKEN_TYPE_EMBEDDING,
                    PROJECT_OUT,
                    HEAD,
                    ROUTER,
                    EXPERT_GATE,
                    EXPERT_UP,
                    SHARED_ROUTER,
                    SHARED_GATE,
                    SHARED_UP -> all(config.rows(key));
        };
    }

    private int[] normRows(TensorKey key, int kept, int perGroup) {
        boolean shared = source.config()
                        .attention(key.layer())
                        .queryKeyNorm()
                        .orElseThrow()
                        .scope()
                == Scope.HEAD;
        return shared ? all(source.config().rows(key)) : headRows(selection.groups()[kept], perGroup);
    }

    private int[] columns(TensorKey key, int kept) {
        return switch (key.role()) {
            case ATTENTION_OUTPUT ->
                headRows(selection.groups()[kept], source.config().attention().groupSize());
            case DOWN -> selection.neurons()[kept];
            case EXPERT_DOWN, SHARED_DOWN -> all(source.config().columns(key));
            case EMBEDDING, HEAD, PROJECT_IN ->
                source.config().embedding().width() == source.config().hiddenSize()
                        ? selection.channels()
                        : all(source.config().columns(key));
            default -> selection.channels();
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
        int row = switch (key.role()) {
            case FINAL_NORM -> scores.finalNorm();
            case ATTENTION_NORM -> Scores.attentionNorm(key.layer());
            case FEED_FORWARD_NORM -> Scores.feedForwardNorm(key.layer());
            default -> -1;
        };
        if (row < 0) {
            return 1;
        }
        double share = Selection.share(scores.channelEnergy()[row], channels);
        return Math.sqrt(share * hidden / channels.length);
    }

    private static int[] all(int count) {
        return IntStream.range(0, count).toArray();
    }
}
