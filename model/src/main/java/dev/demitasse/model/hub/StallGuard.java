package dev.demitasse.model.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** Closes a stream on which nothing came for a while: the JDK's HTTP client would wait for ever. */
final class StallGuard implements AutoCloseable {
    private final AtomicLong received = new AtomicLong();
    private final Thread watcher;

    private StallGuard(InputStream stream, Duration silence) {
        this.watcher = Thread.ofVirtual().start(() -> watch(stream, silence));
    }

    static StallGuard over(InputStream stream, Duration silence) {
        return new StallGuard(stream, silence);
    }

    private void watch(InputStream stream, Duration silence) {
        try {
            long before = -1;
            while (received.get() != before) {
                before = received.get();
                Thread.sleep(silence);
            }
            stream.close();
        } catch (InterruptedException | IOException e) {
            // The stream is done with, which is all that is wanted.
            return;
        }
    }

    /** Something came. */
    void alive() {
        received.incrementAndGet();
    }

    @Override
    public void close() {
        watcher.interrupt();
    }
}
