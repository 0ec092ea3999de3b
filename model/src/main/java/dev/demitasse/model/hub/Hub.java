package dev.demitasse.model.hub;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.ShardIndex;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.Callable;

/** Fetches a model from the hub into the cache, or finds it there. */
public final class Hub implements AutoCloseable {
    private static final int MAXIMUM_LISTING = 64 << 20;

    private final HubReference reference;
    private final HubSettings settings;
    private final HubCache cache;
    private final HubHttp http;
    private final TransferProgress progress;

    private Hub(HubReference reference, HubSettings settings, Progress progress) {
        this.reference = reference;
        this.settings = settings;
        this.cache = new HubCache(settings.cache(), reference);
        this.http = new HubHttp(reference, settings);
        this.progress = new TransferProgress(progress);
    }

    private record Listing(String commit, NeededFiles files) {}

    /**
     * The folder that holds the model's checkpoint; fetched from the hub as far as it is not there yet.
     *
     * @throws InvalidRequestException if there is no such model, or it may not or cannot be fetched
     * @throws MalformedModelException if the server sends something that cannot be right
     */
    public static Path fetch(HubReference reference, HubSettings settings, Progress progress) throws IOException {
        if (settings.offline()) {
            return new HubCache(settings.cache(), reference)
                    .complete()
                    .orElseThrow(() -> new InvalidRequestException(
                            reference,
                            "is not in " + settings.cache() + ", and the hub may not be asked (offline)",
                            "run once without --offline and HF_HUB_OFFLINE, or set HF_HUB_CACHE to where it is"));
        }
        try (Hub hub = new Hub(reference, settings, progress)) {
            return hub.fetch();
        }
    }

    private Path fetch() throws IOException {
        if (reference.isCommit()) {
            // A commit never changes: nothing to ask.
            Optional<Path> there = cache.complete();
            if (there.isPresent()) {
                return there.get();
            }
        }
        Listing listing = listOrAdvise();
        String commit = listing.commit;
        TreeSet<String> names = new TreeSet<>(listing.files.small());
        String weights = listing.files.weights();
        if (weights.endsWith(".index.json")) {
            bring(commit, List.of(weights));
            names.addAll(
                    listing.files.shards(ShardIndex.read(cache.snapshot(commit).resolve(weights))));
        } else {
            names.add(weights);
        }
        bring(commit, names);
        cache.remember(commit);
        return cache.snapshot(commit);
    }

    private Listing listOrAdvise() throws IOException {
        try {
            return new Backoff(reference.toString(), settings.patience()).run(this::list);
        } catch (InvalidRequestException e) {
            if (cache.complete().isEmpty()) {
                throw e;
            }
            throw new InvalidRequestException(e.getMessage() + "; or use what is in the cache, with --offline");
        }
    }

    /** Which commit the revision is, and which files it has. */
    private Listing list() throws IOException {
        URI address = http.address("/api/models/" + reference.repository() + "/revision/"
                + URLEncoder.encode(reference.revision(), StandardCharsets.UTF_8));
        HttpResponse<InputStream> answer = http.send("GET", address, Map.of(), redirect -> false);
        byte[] text;
        try (InputStream body = answer.body();
                StallGuard guard =
                        StallGuard.over(body, settings.patience().silence().multipliedBy(4))) {
            text = body.readNBytes(MAXIMUM_LISTING);
            guard.alive();
        }
        JsonNode root = JsonFile.parse(address, text, "answer", Duplicates.LAST_COUNTS);
        String commit = root.path("sha").asText();
        if (!HubReference.isCommit(commit)) {
            throw new MalformedModelException(address, "the answer names no commit", "check HF_ENDPOINT");
        }
        List<String> names = new ArrayList<>();
        root.path("siblings").forEach(file -> names.add(file.path("rfilename").asText()));
        return new Listing(commit, new NeededFiles(reference, names));
    }

    /** Fetches those of {@code names} that the snapshot lacks. */
    private void bring(String commit, Collection<String> names) throws IOException {
        List<String> missing =
                names.stream().filter(name -> !cache.has(commit, name)).toList();
        List<Callable<HubFile>> questions = missing.stream()
                .<Callable<HubFile>>map(name -> () -> describe(commit, name))
                .toList();
        List<HubFile> files = SideBySide.run(questions);
        checkSpace(files);
        progress.begin(
                reference.toString(), files.stream().mapToLong(HubFile::bytes).sum());
        try {
            List<Callable<HubFile>> downloads = files.stream()
                    .<Callable<HubFile>>map(file -> () -> download(commit, file))
                    .toList();
            SideBySide.run(downloads);
        } finally {
            progress.end();
        }
    }

    private URI address(String commit, String name) {
        String encoded = URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
        return http.address("/" + reference.repository() + "/resolve/" + commit + "/" + encoded);
    }

    private HubFile describe(String commit, String name) throws IOException {
        return new Backoff(reference + " " + name, settings.patience()).run(() -> {
            URI address = address(commit, name);
            HttpResponse<InputStream> answer = http.send(
                    "HEAD",
                    address,
                    Map.of(),
                    headers -> headers.firstValue("X-Linked-Etag").isPresent()
                            && headers.firstValue("X-Linked-Size").isPresent());
            answer.body().close();
            HttpHeaders headers = answer.headers();
            String actual = headers.firstValue("X-Repo-Commit").orElse(commit);
            if (!actual.equals(commit)) {
                throw new MalformedModelException(
                        address, "comes from the commit '" + actual + "'", "check HF_ENDPOINT");
            }
            String etag = headers.firstValue("X-Linked-Etag")
                    .or(() -> headers.firstValue("ETag"))
                    .orElseThrow(() ->
                            new MalformedModelException(address, "the server gives no ETag", "check HF_ENDPOINT"));
            String bytes = headers.firstValue("X-Linked-Size")
                    .or(() -> headers.firstValue("Content-Length"))
                    .orElse("");
            if (!bytes.matches("\\d{1,18}")) {
                throw new MalformedModelException(
                        address, "the server gives the length '" + bytes + "'", "check HF_ENDPOINT");
            }
            return new HubFile(name, HubFile.bare(etag), Long.parseLong(bytes));
        });
    }

    private void checkSpace(List<HubFile> files) throws IOException {
        long needed = 0;
        for (HubFile file : files) {
            if (!Files.exists(cache.blob(file))) {
                Path begun = cache.incomplete(file);
                needed += Math.max(0, file.bytes() - (Files.exists(begun) ? Files.size(begun) : 0));
            }
            if (needed < 0) {
                throw new MalformedModelException(reference, "its files take over 2^63 bytes", "check HF_ENDPOINT");
            }
        }
        Files.createDirectories(cache.folder());
        long free = Files.getFileStore(cache.folder()).getUsableSpace();
        if (needed > free) {
            throw new InvalidRequestException(
                    reference,
                    "takes %,d MB more, %s has %,d MB free".formatted(needed >> 20, settings.cache(), free >> 20),
                    "free some space, or set HF_HUB_CACHE to a folder on another disk");
        }
    }

    private HubFile download(String commit, HubFile file) throws IOException {
        cache.locked(file, () -> {
            if (Files.isRegularFile(cache.blob(file))) {
                progress.advance(file.bytes());
            } else {
                new BlobDownload(http, settings, file, address(commit, file.name()), cache, progress::advance).run();
            }
            cache.link(commit, file);
        });
        return file;
    }

    @Override
    public void close() {
        http.close();
    }
}
