package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import dev.demitasse.model.InputEmbedding;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;

/** From token ids to the residual stream; see {@link InputEmbedding}. */
final class InputLayer {
    private InputLayer() {}

    /** @return {@code [B, T, H]} */
    static NDArray apply(Pass pass) {
        InputEmbedding embedding = pass.config().embedding();
        NDArray hidden = Pass.rows(
                pass.weight(TensorKey.weight(Role.EMBEDDING)), pass.batch().ids());
        if (embedding.scale() != 1) {
            hidden = hidden.mul((float) embedding.scale());
        }
        if (embedding.width() != pass.config().hiddenSize()) {
            hidden = pass.linear(hidden, TensorKey.weight(Role.PROJECT_IN));
        }
        if (pass.batch().tokenTypes().isPresent()) {
            NDArray table = pass.weight(TensorKey.weight(Role.TOKEN_TYPE_EMBEDDING));
            hidden = hidden.add(Pass.rows(table, pass.batch().tokenTypes().get()));
        }
        if (pass.batch().positions().isPresent()) {
            NDArray table = pass.weight(TensorKey.weight(Role.POSITION_EMBEDDING));
            hidden = hidden.add(Pass.rows(table, pass.batch().positions().get()));
        }
        return embedding.norm() ? pass.norm(hidden, Role.EMBEDDING_NORM, TensorKey.NO_LAYER) : hidden;
    }
}
