package dev.demitasse.model.hub;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.hub.HubSettings.Patience;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Optional;

/** Counts failures in a row of one thing that is tried, and waits longer after each. */
final class Backoff {
    private final String what;
    private final Patience patience;
    private int failures;

    /** A failure that may pass. */
    static final class TransientException extends IOException {
        private static final long serialVersionUID = 1L;
        private final transient Optional<Duration> wait;

        /** @param wait how long the server asks to wait */
        TransientException(String message, Optional<Duration> wait) {
            super(message);
            this.wait = wait;
        }
    }

    /** What is tried. */
    @FunctionalInterface
    interface Attempt<T> {
        T run() throws IOException;
    }

    /** @param what for errors */
    Backoff(String what, Patience patience) {
        this.what = what;
        this.patience = patience;
    }

    /** Runs {@code attempt} until it succeeds or the patience is at its end. */
    <T> T run(Attempt<T> attempt) throws IOException {
        while (true) {
            try {
                return attempt.run();
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                failed(e);
            }
        }
    }

    /** It went well for a while: failures count anew. */
    void progressed() {
        failures = 0;
    }

    private void failed(IOException error) throws IOException {
        Duration pause = patience.pause().multipliedBy(1L << Math.min(failures, 20));
        failures++;
        Optional<Duration> asked = error instanceof TransientException passing ? passing.wait : Optional.empty();
        String reason = error.getMessage() == null ? error.toString() : error.getMessage();
        if (asked.isPresent() && asked.get().compareTo(patience.longestPause()) > 0) {
            throw new InvalidRequestException(
                    what,
                    reason + ", for %,d seconds".formatted(asked.get().toSeconds()),
                    "run the same command again after that; what is there already is kept");
        }
        if (failures >= patience.attempts()) {
            throw new InvalidRequestException(
                    what,
                    "gave up after %d attempts: %s".formatted(failures, reason),
                    "check the connection and run the same command again: it goes on where it stopped");
        }
        sleep(asked.filter(wait -> wait.compareTo(pause) > 0).orElse(pause));
    }

    private static void sleep(Duration pause) throws IOException {
        try {
            Thread.sleep(pause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }
}
