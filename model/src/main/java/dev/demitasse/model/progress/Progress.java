package dev.demitasse.model.progress;

/** Told by long work how far it is; shown by whoever started it. Called from one thread at a time. */
public interface Progress {
    /** Shows nothing. */
    Progress SILENT = new Progress() {
        @Override
        public void begin(String task, long steps, String unit) {}

        @Override
        public void advance(long steps) {}

        @Override
        public void note(String text) {}

        @Override
        public void end() {}
    };

    /**
     * A task starts.
     *
     * @param task what is done, two or three words
     * @param steps how many steps it will take
     * @param unit what a step is, plural: {@code tokens}, {@code layers}
     */
    void begin(String task, long steps, String unit);

    /**
     * A task starts whose steps take so long that parts of them are told of: each step counts as {@code parts} of
     * {@link #advance}.
     */
    default void begin(String task, long steps, String unit, int parts) {
        begin(task, steps * parts, unit);
    }

    /** {@code steps} more are done. */
    void advance(long steps);

    /** How it stands, in a few words beside the bar: {@code loss 3.21}. */
    void note(String text);

    /** The task is over. */
    void end();
}
