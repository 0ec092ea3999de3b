package dev.demitasse.recipes.language;

import java.util.List;
import java.util.Optional;

/**
 * A step of a recipe.
 *
 * @param id unique in the recipe, and the name of its folder
 * @param from what it starts from, {@link Recipe#MODEL} or an earlier stage; empty where it starts from nothing
 *     (pretraining) or from its teacher (a new student)
 * @param work what it does
 * @param gates what its result must meet
 */
public record Stage(String id, Optional<String> from, Work work, List<Gate> gates) {
    public Stage {
        gates = List.copyOf(gates);
    }
}
