package dev.demitasse.infer;

import dev.demitasse.infer.attention.TilePool;
import dev.demitasse.model.Positions.Rotary;
import java.util.HashMap;
import java.util.Map;

/** What a model's layers share: a table for each kind of rotary positions, and attention's working memory. */
final class SharedTables {
    private final Map<Rotary, RotaryTable> rotary = new HashMap<>();
    private final TilePool tiles = new TilePool();

    synchronized RotaryTable rotary(Rotary kind) {
        return rotary.computeIfAbsent(kind, RotaryTable::new);
    }

    TilePool tiles() {
        return tiles;
    }
}
