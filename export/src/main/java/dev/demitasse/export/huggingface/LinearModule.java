package dev.demitasse.export.huggingface;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A linear module of a checkpoint: one matrix of its files, which holds one or several of the model's.
 *
 * @param name without {@code .weight}
 * @param weights those it holds
 * @param rows of all of them
 * @param columns of each
 * @param transposed whether files have it {@code [in, out]} where it is not quantized
 */
record LinearModule(String name, List<TensorKey> weights, int rows, int columns, boolean transposed) {
    private static final String WEIGHT = ".weight";
    private static final Set<Role> TABLES =
            EnumSet.of(Role.EMBEDDING, Role.POSITION_EMBEDDING, Role.TOKEN_TYPE_EMBEDDING);

    LinearModule {
        weights = List.copyOf(weights);
    }

    /** Every matrix that is a module of its own, in the model's order: not tables, nor stacks of experts. */
    static List<LinearModule> of(ModelConfig config) {
        Map<String, LinearModule> modules = new LinkedHashMap<>();
        for (TensorKey key : config.tensors()) {
            if (key.part() == Part.WEIGHT && key.role().matrix() && !TABLES.contains(key.role())) {
                Piece piece = config.names().huggingFace(key).getFirst();
                if (piece.shape().length == 2 && piece.name().endsWith(WEIGHT)) {
                    String name = piece.name().substring(0, piece.name().length() - WEIGHT.length());
                    LinearModule own = new LinearModule(
                            name, List.of(key), config.rows(key), config.columns(key), piece.transposed());
                    modules.merge(name, own, LinearModule::joined);
                }
            }
        }
        return List.copyOf(modules.values());
    }

    /** Its name after that of its layer: {@code mlp.up_proj}. */
    String nameInLayer() {
        return name.replaceFirst("^.*?\\.\\d+\\.", "");
    }

    private LinearModule joined(LinearModule other) {
        List<TensorKey> all = new ArrayList<>(weights);
        all.addAll(other.weights);
        return new LinearModule(name, all, rows + other.rows, columns, transposed);
    }
}
