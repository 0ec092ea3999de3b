package dev.demitasse.quantize;

import dev.demitasse.model.progress.Progress;

/** Tells how far a layer is, in {@value #PARTS} parts, from how much of its arithmetic is done. */
final class LayerProgress {
    static final int PARTS = 1000;

    private final Progress progress;
    private double expected;
    private double done;
    private int told;

    LayerProgress(Progress progress) {
        this.progress = progress;
    }

    /** A layer begins that will take about {@code operations}. */
    void expect(double operations) {
        expected = operations;
    }

    /** So many more of its operations are done; the last part is {@link #finish}'s. */
    void add(double operations) {
        done += operations;
        int parts = expected > 0 ? (int) Math.min(PARTS - 1, PARTS * done / expected) : 0;
        if (parts > told) {
            progress.advance(parts - (long) told);
            told = parts;
        }
    }

    /** The layer is finished, whatever was expected of it. */
    void finish() {
        progress.advance(PARTS - (long) told);
        told = 0;
        done = 0;
        expected = 0;
    }
}
