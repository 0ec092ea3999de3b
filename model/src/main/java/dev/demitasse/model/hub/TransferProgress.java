package dev.demitasse.model.hub;

import dev.demitasse.model.progress.Progress;

/** Adds up what several files' transfers tell, in MB. */
final class TransferProgress {
    private final Progress progress;
    private long bytes;
    private long told;

    TransferProgress(Progress progress) {
        this.progress = progress;
    }

    synchronized void begin(String task, long total) {
        bytes = 0;
        told = 0;
        progress.begin(task, total >> 20, "MB");
    }

    /** @param count below 0 where a transfer starts anew; shown once it is past where it was */
    synchronized void advance(long count) {
        bytes += count;
        long more = (bytes >> 20) - told;
        if (more > 0) {
            progress.advance(more);
            told += more;
        }
    }

    synchronized void end() {
        progress.end();
    }
}
