package dev.demitasse.model.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.demitasse.model.hub.HubSettings.Patience;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executors;

/**
 * A hub on this machine that can be told to misbehave. Like the real one it answers for small files itself and redirects
 * to a store at another address for those whose name ends in {@code .safetensors} or {@code .bin}.
 */
final class LoopbackHub implements AutoCloseable {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    /** One request as it came; {@code host} is {@code hub} or {@code store}. */
    record Request(String host, String method, String path, Optional<String> range, Optional<String> authorization) {}

    /** Answers a request in a way of its own; says whether it did. */
    @FunctionalInterface
    interface Trick {
        boolean play(HttpExchange exchange) throws IOException;
    }

    final Map<String, byte[]> files = new LinkedHashMap<>();
    /** Names to list beside the files. */
    final List<String> extraSiblings = new ArrayList<>();
    /** Headers that replace what is right, by file name. */
    final Map<String, Map<String, String>> lies = new LinkedHashMap<>();

    final List<Request> requests = Collections.synchronizedList(new ArrayList<>());
    private final Map<String, Deque<Trick>> tricks = new TreeMap<>();
    private final Map<String, Trick> habits = new TreeMap<>();
    private final HttpServer hub;
    private final HttpServer store;
    String commit = COMMIT;

    LoopbackHub() throws IOException {
        hub = serve("hub", this::answerAsHub);
        store = serve("store", this::answerAsStore);
    }

    private HttpServer serve(String host, Trick answer) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                String path = exchange.getRequestURI().getPath();
                requests.add(new Request(
                        host,
                        exchange.getRequestMethod(),
                        path,
                        Optional.ofNullable(exchange.getRequestHeaders().getFirst("Range")),
                        Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization"))));
                Trick trick = next(host + " " + exchange.getRequestMethod() + " " + path);
                if (!trick.play(exchange)) {
                    answer.play(exchange);
                }
            }
        });
        server.start();
        return server;
    }

    private synchronized Trick next(String request) {
        for (Map.Entry<String, Deque<Trick>> trick : tricks.entrySet()) {
            if (request.matches(trick.getKey()) && !trick.getValue().isEmpty()) {
                return trick.getValue().removeFirst();
            }
        }
        return habits.entrySet().stream()
                .filter(habit -> request.matches(habit.getKey()))
                .findFirst()
                .map(Map.Entry::getValue)
                .orElse(exchange -> false);
    }

    /** Does {@code trick} once, at the next request of that form: {@code store GET .*}. */
    synchronized void once(String request, Trick trick) {
        tricks.computeIfAbsent(request, key -> new ArrayDeque<>()).add(trick);
    }

    /** Does {@code trick} at every request of that form. */
    synchronized void always(String request, Trick trick) {
        habits.put(request, trick);
    }

    static Trick status(int status, String... header) {
        return exchange -> {
            for (int i = 0; i < header.length; i += 2) {
                exchange.getResponseHeaders().set(header[i], header[i + 1]);
            }
            exchange.sendResponseHeaders(status, -1);
            return true;
        };
    }

    static Trick redirect(String location) {
        return status(302, "Location", location);
    }

    /** Announces {@code announced} bytes and sends only {@code content}. */
    static Trick body(int status, long announced, byte[] content, String... header) {
        return exchange -> {
            for (int i = 0; i < header.length; i += 2) {
                exchange.getResponseHeaders().set(header[i], header[i + 1]);
            }
            exchange.sendResponseHeaders(status, announced);
            exchange.getResponseBody().write(content);
            exchange.getResponseBody().flush();
            return true;
        };
    }

    URI address() {
        return URI.create("http://127.0.0.1:" + hub.getAddress().getPort());
    }

    URI storeAddress() {
        return URI.create("http://127.0.0.1:" + store.getAddress().getPort());
    }

    /** Settings for this hub, of little patience. */
    HubSettings settings(Path cache) {
        Patience patience = new Patience(4, Duration.ofMillis(1), Duration.ofSeconds(2), Duration.ofSeconds(1));
        return new HubSettings(address(), Optional.of("secret"), cache, false, patience);
    }

    private static boolean large(String name) {
        return name.endsWith(".safetensors") || name.endsWith(".bin");
    }

    private static String hash(String algorithm, byte[] start, byte[] content) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(start);
            return HexFormat.of().formatHex(digest.digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** SHA-256 of large files, git's hash of others. */
    String etag(String name) {
        byte[] content = files.get(name);
        return large(name)
                ? hash("SHA-256", new byte[0], content)
                : hash("SHA-1", ("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII), content);
    }

    private boolean answerAsHub(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        if (path.startsWith("/api/models/org/tiny/revision/")) {
            List<String> names = new ArrayList<>(files.keySet());
            names.addAll(extraSiblings);
            StringBuilder json = new StringBuilder("{\"sha\":\"" + commit + "\",\"siblings\":[");
            for (String name : names) {
                json.append(json.charAt(json.length() - 1) == '[' ? "" : ",")
                        .append("{\"rfilename\":\"")
                        .append(name.replace("\\", "\\\\"))
                        .append("\"}");
            }
            byte[] text = json.append("]}").toString().getBytes(StandardCharsets.UTF_8);
            return body(200, text.length, text).play(exchange);
        }
        String start = "/org/tiny/resolve/" + COMMIT + "/";
        String name = path.startsWith(start) ? path.substring(start.length()) : "";
        if (!files.containsKey(name)) {
            return status(404, "X-Error-Code", "RepoNotFound").play(exchange);
        }
        Map<String, String> headers = new TreeMap<>();
        headers.put("X-Repo-Commit", COMMIT);
        if (large(name)) {
            headers.put("X-Linked-Etag", '"' + etag(name) + '"');
            headers.put("X-Linked-Size", Integer.toString(files.get(name).length));
            headers.put("Location", storeAddress() + "/blobs/" + name);
        } else {
            headers.put("ETag", '"' + etag(name) + '"');
        }
        headers.putAll(lies.getOrDefault(name, Map.of()));
        headers.forEach(exchange.getResponseHeaders()::set);
        if (large(name)) {
            return status(302).play(exchange);
        }
        return sendFile(exchange, files.get(name));
    }

    private boolean answerAsStore(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().substring("/blobs/".length());
        return sendFile(exchange, files.get(name));
    }

    private static boolean sendFile(HttpExchange exchange, byte[] content) throws IOException {
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(content.length));
            exchange.sendResponseHeaders(200, -1);
            return true;
        }
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
        int length = content.length - from;
        if (range != null) {
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes %d-%d/%d".formatted(from, content.length - 1, content.length));
        }
        exchange.sendResponseHeaders(range == null ? 200 : 206, length == 0 ? -1 : length);
        exchange.getResponseBody().write(content, from, length);
        return true;
    }

    /** The requests of one kind and file. */
    List<Request> requests(String host, String method, String end) {
        synchronized (requests) {
            return requests.stream()
                    .filter(request ->
                            request.host.equals(host) && request.method.equals(method) && request.path.endsWith(end))
                    .toList();
        }
    }

    @Override
    public void close() {
        hub.stop(0);
        store.stop(0);
    }
}
