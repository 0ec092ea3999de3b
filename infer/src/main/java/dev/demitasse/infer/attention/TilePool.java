package dev.demitasse.infer.attention;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/** Working memory of attention, lent to one thread at a time: as much as there were threads at once, shared by all layers. */
public final class TilePool {
    private final Queue<AttentionTile> free = new ConcurrentLinkedQueue<>();

    AttentionTile take() {
        @Nullable AttentionTile tile = free.poll();
        return tile == null ? new AttentionTile() : tile;
    }

    void giveBack(AttentionTile tile) {
        free.add(tile);
    }
}
