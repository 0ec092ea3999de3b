package dev.demitasse.infer.generate;

/**
 * Whether drafting pays: tokens a second with it and without, over windows of a few steps. Where it is slower it is left off,
 * and tried again after ever longer pauses, since a text may come to repeat itself; where it is faster, now and then a window
 * without it tells what that would give.
 */
final class SpeculationGauge {
    /** Steps of a window. */
    static final int WINDOW = 8;

    /** Windows with drafts between two without. */
    private static final int DRAFTED = 16;

    private static final int SHORTEST_PAUSE = 4;
    private static final int LONGEST_PAUSE = 128;

    private boolean drafting = true;
    private int pause = SHORTEST_PAUSE;
    /** Windows until the other way is tried. */
    private int left = 1;

    private int steps;
    private long tokens;
    private long nanos;
    private double plainRate;

    /** Whether the next step is to be drafted. */
    boolean drafting() {
        return drafting;
    }

    /** Takes note of a step that gave {@code count} tokens in so many nanoseconds. */
    void step(int count, long duration) {
        steps++;
        tokens += count;
        nanos += duration;
        if (steps == WINDOW) {
            window(tokens / Math.max(1.0, nanos));
            steps = 0;
            tokens = 0;
            nanos = 0;
        }
    }

    private void window(double rate) {
        left--;
        if (!drafting) {
            plainRate = rate;
            drafting = left == 0;
            left = drafting ? DRAFTED : left;
        } else if (plainRate > 0 && rate <= plainRate) {
            drafting = false;
            left = pause;
            pause = Math.min(LONGEST_PAUSE, 2 * pause);
        } else {
            pause = plainRate > 0 ? SHORTEST_PAUSE : pause;
            drafting = left > 0;
            left = drafting ? left : 1;
        }
    }
}
