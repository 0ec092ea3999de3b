package dev.demitasse.model.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Runs work that waits for the network, a few at a time; the first failure ends all. */
final class SideBySide {
    private static final int AT_A_TIME = 4;

    private SideBySide() {}

    /** The results in the order of {@code tasks}. */
    static <T> List<T> run(List<Callable<T>> tasks) throws IOException {
        ExecutorService threads =
                Executors.newFixedThreadPool(AT_A_TIME, Thread.ofVirtual().factory());
        try {
            ExecutorCompletionService<T> service = new ExecutorCompletionService<>(threads);
            List<Future<T>> results = new ArrayList<>();
            tasks.forEach(task -> results.add(service.submit(task)));
            for (int done = 0; done < tasks.size(); done++) {
                service.take().get();
            }
            return results.stream().map(Future::resultNow).toList();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException own -> throw own;
                case Error error -> throw error;
                case null -> throw new IllegalStateException(e);
                case Throwable other -> throw new IllegalStateException(other);
            }
        } finally {
            threads.shutdownNow();
            threads.close();
        }
    }
}
