package dev.demitasse.model.hub;

import static dev.demitasse.model.hub.LoopbackHub.COMMIT;
import static dev.demitasse.model.hub.LoopbackHub.body;
import static dev.demitasse.model.hub.LoopbackHub.redirect;
import static dev.demitasse.model.hub.LoopbackHub.status;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.hub.LoopbackHub.Request;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.TinyModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Models come whole, with the right hash, or not at all, whatever the server does; nothing leaves this machine. */
class HubTest {
    private static final HubReference TINY = HubReference.parse("hf:org/tiny");
    private static final String WEIGHTS = "model.safetensors";

    @TempDir
    private Path cache;

    private LoopbackHub hub;

    @BeforeEach
    void start(@TempDir Path folder) throws IOException {
        hub = new LoopbackHub();
        TinyModel.write(folder, TinyModel.config(), key -> ScalarFormat.BF16);
        for (String name : List.of("config.json", WEIGHTS)) {
            hub.files.put(name, Files.readAllBytes(folder.resolve(name)));
        }
        hub.files.put("merges.txt", "a b\n".getBytes(StandardCharsets.UTF_8));
        for (String name :
                List.of("README.md", "pytorch_model.bin", "onnx/model.onnx", "tf_model.h5", "tokenizer.py")) {
            hub.files.put(name, new byte[10]);
        }
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private Path fetch() throws IOException {
        return Hub.fetch(TINY, hub.settings(cache), Progress.SILENT);
    }

    private Path blob(String name) {
        return cache.resolve("models--org--tiny/blobs").resolve(hub.etag(name));
    }

    private byte[] half() {
        byte[] whole = hub.files.get(WEIGHTS);
        return Arrays.copyOf(whole, whole.length / 2);
    }

    /** The layout is that of huggingface_hub's guide "Understand caching". */
    @Test
    void aModelLiesInTheCacheAsPythonWouldPutIt() throws IOException {
        Path snapshot = fetch();

        assertThat(snapshot).isEqualTo(cache.resolve("models--org--tiny/snapshots/" + COMMIT));
        assertThat(cache.resolve("models--org--tiny/refs/main")).hasContent(COMMIT);
        try (Stream<Path> files = Files.list(snapshot)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("config.json", "merges.txt", WEIGHTS);
        }
        assertThat(Files.readSymbolicLink(snapshot.resolve(WEIGHTS)))
                .isEqualTo(Path.of("../../blobs/" + hub.etag(WEIGHTS)));
        assertThat(blob(WEIGHTS)).hasBinaryContent(hub.files.get(WEIGHTS));
        assertThat(blob("config.json")).hasBinaryContent(hub.files.get("config.json"));
        try (Checkpoint checkpoint = Checkpoint.open(snapshot)) {
            assertThat(checkpoint.config()).isEqualTo(TinyModel.config());
        }
    }

    @Test
    void whatIsThereIsNotFetchedAgain() throws IOException {
        fetch();
        hub.requests.clear();
        assertThat(fetch()).isDirectory();
        assertThat(hub.requests).extracting(Request::path).containsExactly("/api/models/org/tiny/revision/main");
        hub.requests.clear();
        assertThat(Hub.fetch(HubReference.parse("hf:org/tiny@" + COMMIT), hub.settings(cache), Progress.SILENT))
                .isDirectory();
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void shardsAreThoseOfTheIndex() throws IOException {
        byte[] weights = hub.files.remove(WEIGHTS);
        hub.files.put("model-00001-of-00001.safetensors", weights);
        hub.files.put("model-00002-of-00001.safetensors", weights);
        hub.files.put(
                "model.safetensors.index.json",
                "{\"weight_map\":{\"x\":\"model-00001-of-00001.safetensors\"}}".getBytes(StandardCharsets.UTF_8));
        Path snapshot = fetch();
        assertThat(snapshot.resolve("model-00002-of-00001.safetensors")).doesNotExist();
        Checkpoint.open(snapshot).close();
    }

    @Test
    void theTokenGoesToTheHubAndNowhereElse() throws IOException {
        hub.once("hub GET .*safetensors", redirect("/elsewhere"));
        hub.once("hub GET /elsewhere", redirect(hub.storeAddress() + "/blobs/a/../" + WEIGHTS));
        hub.once("store GET .*", redirect(hub.address() + "/back"));
        hub.once("hub GET /back", redirect(hub.storeAddress() + "/blobs/" + WEIGHTS));
        fetch();
        assertThat(hub.requests)
                .filteredOn(request ->
                        request.host().equals("store") || request.path().equals("/back"))
                .hasSize(3)
                .allMatch(request -> request.authorization().isEmpty());
        assertThat(hub.requests)
                .filteredOn(request ->
                        request.host().equals("hub") && !request.path().equals("/back"))
                .allMatch(request -> request.authorization().equals(java.util.Optional.of("Bearer secret")));
    }

    @Test
    void aCutConnectionIsResumedWhereItWasCut() throws IOException {
        byte[] half = half();
        hub.once("store GET .*", body(200, hub.files.get(WEIGHTS).length, half));
        fetch();
        List<Request> requests = hub.requests("store", "GET", WEIGHTS);
        assertThat(requests).hasSize(2);
        assertThat(requests.get(1).range().orElseThrow()).matches("bytes=\\d+-").isNotEqualTo("bytes=0-");
        assertThat(blob(WEIGHTS)).hasBinaryContent(hub.files.get(WEIGHTS));
    }

    @Test
    void whatAKilledProcessLeftIsContinued() throws IOException {
        Path begun = Path.of(blob(WEIGHTS) + ".incomplete");
        Files.createDirectories(begun.getParent());
        Files.write(begun, half());
        fetch();
        assertThat(hub.requests("store", "GET", WEIGHTS).getFirst().range()).contains("bytes=" + half().length + "-");
        assertThat(blob(WEIGHTS)).hasBinaryContent(hub.files.get(WEIGHTS));
        assertThat(begun).doesNotExist();
    }

    @Test
    void aWrongBeginningIsFetchedAnew() throws IOException {
        Path begun = Path.of(blob(WEIGHTS) + ".incomplete");
        Files.createDirectories(begun.getParent());
        for (int length : new int[] {100, hub.files.get(WEIGHTS).length, hub.files.get(WEIGHTS).length + 5}) {
            Files.deleteIfExists(blob(WEIGHTS));
            Files.write(begun, new byte[length]);
            Files.deleteIfExists(cache.resolve("models--org--tiny/snapshots/" + COMMIT + "/" + WEIGHTS));
            fetch();
            assertThat(blob(WEIGHTS)).hasBinaryContent(hub.files.get(WEIGHTS));
        }
    }

    @Test
    void rangesThatAreIgnoredRefusedOrWrongStartAnew() throws IOException {
        byte[] whole = hub.files.get(WEIGHTS);
        List<LoopbackHub.Trick> answers = List.of(
                body(200, whole.length, whole),
                status(416),
                body(206, 7, new byte[7], "Content-Range", "bytes 3-9/" + whole.length));
        for (LoopbackHub.Trick answer : answers) {
            Files.deleteIfExists(blob(WEIGHTS));
            Files.deleteIfExists(cache.resolve("models--org--tiny/snapshots/" + COMMIT + "/" + WEIGHTS));
            Path begun = Path.of(blob(WEIGHTS) + ".incomplete");
            Files.createDirectories(begun.getParent());
            Files.write(begun, half());
            hub.once("store GET .*", answer);
            fetch();
            assertThat(blob(WEIGHTS)).hasBinaryContent(whole);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {WEIGHTS, "config.json"})
    void aWrongHashIsRefused(String name) {
        byte[] other = hub.files.get(name).clone();
        other[other.length - 1] ^= 1;
        String from = name.equals(WEIGHTS) ? "store" : "hub";
        hub.always(from + " GET .*" + name, body(200, other.length, other));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("hash");
        assertThat(blob(name)).doesNotExist();
        assertThat(cache.resolve("models--org--tiny/refs/main")).doesNotExist();
    }

    @Test
    void moreThanWasAnnouncedIsRefused() {
        byte[] longer = new byte[hub.files.get(WEIGHTS).length + 1000];
        hub.always("store GET .*", body(200, longer.length, longer));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("more than");
    }

    @Test
    void lessThanWasAnnouncedIsGivenUp() {
        hub.always("store GET .*", body(200, 10, new byte[10]));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("after 4 attempts")
                .hasMessageContaining("cut at byte 10");
    }

    @Test
    void aSilentServerIsGivenUp() {
        hub.always("store GET .*", exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().flush();
            try {
                Thread.sleep(3000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return true;
        });
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("attempts");
    }

    @Test
    void busyServersAreWaitedFor() throws IOException {
        hub.once("hub GET /api.*", status(429, "Retry-After", "1"));
        hub.once("hub GET /api.*", status(503));
        hub.once("hub HEAD .*", status(429, "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"));
        hub.once("store GET .*", status(500));
        hub.once("store GET .*", status(502, "Retry-After", "soon"));
        long start = System.nanoTime();
        fetch();
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(1_000_000_000L);
        assertThat(blob(WEIGHTS)).exists();
    }

    @Test
    void aServerThatAsksForTooMuchTimeIsNotWaitedFor() {
        hub.once("hub GET /api.*", status(429, "Retry-After", "86400"));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("429")
                .hasMessageContaining("86,400 seconds");
    }

    @ParameterizedTest
    @CsvSource({
        "401, '', HF_TOKEN",
        "401, RepoNotFound, there is no such model",
        "403, GatedRepo, accept its conditions",
        "404, RepoNotFound, there is no such model",
        "404, RevisionNotFound, has no revision 'main'",
        "400, '', status 400",
        "500, '', after 4 attempts"
    })
    void refusalsSayWhatToDo(int status, String code, String inMessage) {
        hub.always("hub GET /api.*", code.isEmpty() ? status(status) : status(status, "X-Error-Code", code));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("hf:org/tiny")
                .hasMessageContaining(inMessage)
                .hasMessageNotContaining("secret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/loop", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", ":", ""})
    void badRedirectsAreNotFollowed(String location) {
        hub.always("hub GET .*", redirect(location));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("redirected");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../config.json", "a/../../b", "/etc/passwd", "a\\b", "..", ".", "", "a//b", "a/./b"})
    void namesThatLeadOutOfTheFolderAreRefused(String name) {
        hub.extraSiblings.add(name);
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("do not trust");
        assertThat(cache.resolve("models--org--tiny")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"../../../x\"", "\"\"", "\"a/b\"", "\"..\"", "W/\"../x\""})
    void etagsThatLeadOutOfTheFolderAreRefused(String etag) {
        hub.lies.put(WEIGHTS, Map.of("X-Linked-Etag", etag));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("etag");
    }

    @Test
    void impossibleAnswersAreRefused() {
        hub.commit = "../../../../x";
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("no commit");
        hub.commit = COMMIT;
        hub.lies.put(WEIGHTS, Map.of("X-Linked-Size", "-1"));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("'-1'");
        hub.lies.put(WEIGHTS, Map.of("X-Linked-Size", "100000000000000000"));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("MB free");
        hub.lies.put(WEIGHTS, Map.of("X-Repo-Commit", COMMIT.replace('0', 'f')));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("commit");
        for (String text : List.of("", "[", "[]", "{}", "{\"sha\":3}", "[".repeat(100_000))) {
            hub.once(
                    "hub GET /api.*",
                    body(200, text.length() == 0 ? -1 : text.length(), text.getBytes(StandardCharsets.UTF_8)));
            assertThatThrownBy(this::fetch).isInstanceOf(MalformedModelException.class);
        }
    }

    @Test
    void repositoriesWithoutACheckpointAreRefused() {
        hub.files.remove(WEIGHTS);
        hub.files.remove("pytorch_model.bin");
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("neither");
        hub.files.remove("config.json");
        hub.extraSiblings.add("tiny.Q4_0.gguf");
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("tiny.Q4_0.gguf");
    }

    @Test
    void offlineUsesTheCacheAndAsksNobody() throws IOException {
        HubSettings offline = hub.settings(cache).offline(true);
        assertThatThrownBy(() -> Hub.fetch(TINY, offline, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("offline");
        assertThat(hub.requests).isEmpty();
        Path snapshot = fetch();
        hub.requests.clear();
        assertThat(Hub.fetch(TINY, offline, Progress.SILENT)).isEqualTo(snapshot);
        hub.always("hub GET .*", status(500));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("use what is in the cache, with --offline");
        hub.requests.clear();
        Files.delete(snapshot.resolve(WEIGHTS));
        assertThatThrownBy(() -> Hub.fetch(TINY, offline, Progress.SILENT)).isInstanceOf(InvalidRequestException.class);
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void twoAtATimeFetchOnce() throws IOException {
        List<Callable<Path>> both = List.of(this::fetch, this::fetch);
        List<Path> snapshots = SideBySide.run(both);
        assertThat(snapshots.get(0)).isEqualTo(snapshots.get(1));
        assertThat(hub.requests("store", "GET", WEIGHTS)).hasSize(1);
    }
}
