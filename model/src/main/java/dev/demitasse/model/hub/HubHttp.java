package dev.demitasse.model.hub;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.hub.Backoff.TransientException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Requests to the hub. Redirects are followed by hand: the token goes to the hub's own address only, never to where it
 * sends us. What a status code means is said here once.
 */
final class HubHttp implements AutoCloseable {
    private static final int MAXIMUM_REDIRECTS = 10;
    private static final Duration CONNECT = Duration.ofSeconds(15);
    private static final String AGENT = "demitasse/0.1.0";

    private final HubReference reference;
    private final HubSettings settings;
    private final HttpClient client;

    HubHttp(HubReference reference, HubSettings settings) {
        this.reference = reference;
        this.settings = settings;
        this.client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_2)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(CONNECT)
                .build();
    }

    /** An address of the hub; {@code path} is percent-encoded. */
    URI address(String path) {
        return URI.create(settings.endpoint() + path);
    }

    /**
     * Sends one request and follows redirects.
     *
     * @param method GET or HEAD
     * @param enough says of a redirect's headers that they tell all that is wanted, so that it is not followed
     * @return an answer of 2xx, 416 or a redirect that is enough; the caller closes its body
     * @throws TransientException where trying again may help
     * @throws InvalidRequestException where it will not
     */
    HttpResponse<InputStream> send(String method, URI start, Map<String, String> headers, Predicate<HttpHeaders> enough)
            throws IOException {
        URI at = start;
        boolean trusted = true;
        for (int hops = 0; hops <= MAXIMUM_REDIRECTS; hops++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(at)
                    .method(method, HttpRequest.BodyPublishers.noBody())
                    .timeout(settings.patience().silence())
                    .header("User-Agent", AGENT)
                    // A compressed answer's length would not be the file's.
                    .header("Accept-Encoding", "identity");
            headers.forEach(request::header);
            trusted &= sameHost(at, settings.endpoint());
            if (trusted && settings.token().isPresent()) {
                request.header("Authorization", "Bearer " + settings.token().get());
            }
            HttpResponse<InputStream> answer = exchange(request.build());
            if (answer.statusCode() / 100 == 2
                    || answer.statusCode() == 416
                    || redirect(answer) && enough.test(answer.headers())) {
                return answer;
            }
            answer.body().close();
            if (!redirect(answer)) {
                throw refused(answer, at);
            }
            at = target(answer, at);
        }
        throw new MalformedModelException(
                start, "is redirected more than %d times".formatted(MAXIMUM_REDIRECTS), "check HF_ENDPOINT");
    }

    private HttpResponse<InputStream> exchange(HttpRequest request) throws IOException {
        try {
            return client.send(request, BodyHandlers.ofInputStream());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        } catch (IOException e) {
            // The JDK's own messages often are null, and never tell the host.
            String reason = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            TransientException told = new TransientException(request.uri().getHost() + ": " + reason, Optional.empty());
            told.initCause(e);
            throw told;
        }
    }

    private static boolean redirect(HttpResponse<?> answer) {
        return switch (answer.statusCode()) {
            case 301, 302, 303, 307, 308 -> true;
            default -> false;
        };
    }

    private static boolean sameHost(URI a, URI b) {
        return a.getScheme().equals(b.getScheme()) && a.getAuthority().equals(b.getAuthority());
    }

    private static URI target(HttpResponse<?> answer, URI from) {
        String location = answer.headers().firstValue("Location").orElse("");
        try {
            URI target = from.resolve(location);
            boolean web = "https".equals(target.getScheme()) || "http".equals(target.getScheme());
            boolean weaker = "https".equals(from.getScheme()) && !"https".equals(target.getScheme());
            if (!location.isEmpty() && web && !weaker && target.getHost() != null) {
                return target;
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw new MalformedModelException(
                from, "is redirected to '" + location + "', no address to follow", "check HF_ENDPOINT");
    }

    private RuntimeException refused(HttpResponse<?> answer, URI at) throws TransientException {
        int status = answer.statusCode();
        String code = answer.headers().firstValue("X-Error-Code").orElse("");
        URI page = address("/" + reference.repository());
        String token = settings.token().isEmpty()
                ? "give a token of " + settings.endpoint() + "/settings/tokens by the environment variable HF_TOKEN"
                : "check that the token of HF_TOKEN is valid and may read it";
        if (status == 429 || status == 408 || status / 100 == 5) {
            String why = status == 429 ? "asks to wait (status 429)" : "is in trouble (status " + status + ")";
            throw new TransientException(at.getHost() + " " + why, retryAfter(answer.headers()));
        }
        if (status == 403 || code.equals("GatedRepo")) {
            return new InvalidRequestException(
                    reference,
                    "is gated or closed to you (status " + status + ")",
                    "accept its conditions at " + page + " and " + token);
        }
        if (status == 401) {
            return new InvalidRequestException(
                    reference,
                    "there is no such model, or it is private or gated (status 401)",
                    "check the name at " + page + "; if it is right, " + token);
        }
        if (status == 404) {
            boolean revision = code.equals("RevisionNotFound");
            return new InvalidRequestException(
                    reference,
                    revision
                            ? "has no revision '" + reference.revision() + "' (status 404)"
                            : code.equals("EntryNotFound")
                                    ? "has no file " + at.getPath() + " (status 404)"
                                    : "there is no such model or revision (status 404)",
                    "check the name at " + page);
        }
        return new InvalidRequestException(
                reference, at.getHost() + " answers with status " + status, "check HF_ENDPOINT and the connection");
    }

    /** Seconds or a date. */
    private static Optional<Duration> retryAfter(HttpHeaders headers) {
        Optional<String> written = headers.firstValue("Retry-After").map(String::strip);
        if (written.isEmpty()) {
            return Optional.empty();
        }
        if (written.get().matches("\\d{1,9}")) {
            return Optional.of(Duration.ofSeconds(Long.parseLong(written.get())));
        }
        try {
            ZonedDateTime date = ZonedDateTime.parse(written.get(), DateTimeFormatter.RFC_1123_DATE_TIME);
            return Optional.of(Duration.between(ZonedDateTime.now(date.getZone()), date));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    /** Abandons what is still under way. */
    @Override
    public void close() {
        client.shutdownNow();
        client.close();
    }
}
