package dev.demitasse.model.hub;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.hub.Backoff.TransientException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;

/**
 * Fetches one file's content into the cache: what an earlier attempt left is continued, and only a whole
 * with the right hash gets its name.
 */
final class BlobDownload {
    private static final int BUFFER = 1 << 18;
    /** So much received means that the connection works after all. */
    private static final long PROGRESS = 1 << 20;

    private final HubHttp http;
    private final HubSettings settings;
    private final HubFile file;
    private final URI address;
    private final Path incomplete;
    private final Path blob;
    private final LongConsumer progress;
    private boolean startedAnew;

    /** @param progress told how many bytes are there now that were not before; below 0 where some proved useless */
    BlobDownload(HubHttp http, HubSettings settings, HubFile file, URI address, HubCache cache, LongConsumer progress) {
        this.http = http;
        this.settings = settings;
        this.file = file;
        this.address = address;
        this.incomplete = cache.incomplete(file);
        this.blob = cache.blob(file);
        this.progress = progress;
    }

    /**
     * @throws MalformedModelException if the server sends something else than it announced
     * @throws dev.demitasse.model.InvalidRequestException if it cannot be reached
     */
    void run() throws IOException {
        Backoff backoff = new Backoff(file.name(), settings.patience());
        try (FileChannel out = FileChannel.open(
                incomplete, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            if (out.size() > file.bytes()) {
                out.truncate(0);
            }
            progress.accept(out.size());
            while (true) {
                backoff.run(() -> {
                    receive(out, backoff);
                    return true;
                });
                if (isRight(out)) {
                    out.force(true);
                    break;
                }
                restart(out);
            }
        }
        Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** What came is not what was announced: a part of an earlier attempt may be to blame, so once more from the start. */
    private void restart(FileChannel out) throws IOException {
        empty(out);
        if (startedAnew) {
            throw new MalformedModelException(
                    file.name(),
                    "what %s sent is not what it announced: its hash is not %s"
                            .formatted(address.getHost(), file.etag()),
                    "try again later; if it stays so, do not trust this server");
        }
        startedAnew = true;
    }

    private void empty(FileChannel out) throws IOException {
        progress.accept(-out.size());
        out.truncate(0);
    }

    private boolean isRight(FileChannel out) throws IOException {
        Optional<MessageDigest> digest = file.digest();
        if (digest.isEmpty()) {
            return true;
        }
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
        out.position(0);
        while (out.read(buffer.clear()) >= 0) {
            digest.get().update(buffer.flip());
        }
        return file.verified(digest.get());
    }

    /** Brings the file to its full length, or fails with what came so far kept. */
    private void receive(FileChannel out, Backoff backoff) throws IOException {
        long from = out.size();
        if (from == file.bytes()) {
            return;
        }
        Map<String, String> headers = from == 0 ? Map.of() : Map.of("Range", "bytes=" + from + "-");
        HttpResponse<InputStream> answer = http.send("GET", address, headers, redirect -> false);
        try (InputStream body = answer.body()) {
            if (!continues(answer, from)) {
                // The server does not know ranges, or another one was asked for.
                empty(out);
                from = 0;
            }
            if (answer.statusCode() != 200 && answer.statusCode() != 206 || answer.statusCode() == 206 && from == 0) {
                throw new TransientException(
                        address.getHost() + " does not send the part that was asked for", Optional.empty());
            }
            try (StallGuard guard = StallGuard.over(body, settings.patience().silence())) {
                copy(body, out, from, guard, backoff);
            }
        }
        if (out.size() < file.bytes()) {
            throw new TransientException(
                    "%s: the connection was cut at byte %,d of %,d"
                            .formatted(address.getHost(), out.size(), file.bytes()),
                    Optional.empty());
        }
    }

    private static boolean continues(HttpResponse<?> answer, long from) {
        return from == 0
                ? answer.statusCode() == 200
                : answer.statusCode() == 206
                        && answer.headers()
                                .firstValue("Content-Range")
                                .orElse("")
                                .startsWith("bytes " + from + "-");
    }

    private void copy(InputStream body, FileChannel out, long from, StallGuard guard, Backoff backoff)
            throws IOException {
        byte[] buffer = new byte[BUFFER];
        long at = from;
        long counted = from;
        for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
            guard.alive();
            if (read > file.bytes() - at) {
                empty(out);
                throw new MalformedModelException(
                        file.name(),
                        "%s sends more than the %,d bytes that it announced".formatted(address.getHost(), file.bytes()),
                        "try again later; if it stays so, do not trust this server");
            }
            ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, read);
            while (bytes.hasRemaining()) {
                at += out.write(bytes, at);
            }
            progress.accept(read);
            if (at - counted >= PROGRESS) {
                counted = at;
                backoff.progressed();
            }
        }
    }
}
