package dev.demitasse.model;

import java.util.List;

/** Where a kind of file keeps the tensors of a role. In names {@code {i}} stands for the layer, {@code {e}} the expert. */
public sealed interface Place {
    /** A module's name, without the part: {@code model.layers.{i}.mlp.up_proj}. */
    String module();

    /**
     * A tensor of its own.
     *
     * @param transposed whether matrices are stored {@code [in, out]}, as GPT-2's are
     */
    record Own(String module, boolean transposed) implements Place {}

    /**
     * A tensor that several roles share, their rows after each other.
     *
     * @param roles in this order
     * @param order whether each role's rows stand together
     * @param transposed whether matrices are stored {@code [in, out]}
     */
    record Fused(String module, List<Role> roles, Order order, boolean transposed) implements Place {}

    /** A tensor for each head, {@code {h}} its number: {@code [D]} of a vector {@code [heads, D]}. */
    record EachHead(String module) implements Place {}

    /** A tensor {@code [experts, out, in]}, the matrix of each expert a slice of it. */
    record Stacked(String module) implements Place {}

    /** How query, key and value share rows. */
    enum Order {
        /** All of the first role, all of the second, all of the third. */
        CONCATENATED,
        /** For each key/value head: the query heads that share it, the key head, the value head. */
        GROUPED
    }

    static Place own(String module) {
        return new Own(module, false);
    }

    /** Stored {@code [in, out]}. */
    static Place transposed(String module) {
        return new Own(module, true);
    }

    static Fused fused(String module, Order order, Role... roles) {
        return new Fused(module, List.of(roles), order, false);
    }

    /** Stored {@code [in, out]}, the roles' columns after each other. */
    static Fused fusedTransposed(String module, Order order, Role... roles) {
        return new Fused(module, List.of(roles), order, true);
    }
}
