package dev.demitasse.infer;

import dev.demitasse.model.Positions.Rotary;
import java.util.HashMap;
import java.util.Map;

/** One table for each kind of rotary positions, shared by the layers that have it. */
final class RotaryTables {
    private final Map<Rotary, RotaryTable> tables = new HashMap<>();

    synchronized RotaryTable of(Rotary rotary) {
        return tables.computeIfAbsent(rotary, RotaryTable::new);
    }
}
