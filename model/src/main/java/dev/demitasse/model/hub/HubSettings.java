package dev.demitasse.model.hub;

import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Where the hub is, who asks, and where files are kept; by the environment variables that huggingface_hub documents
 * (huggingface.co/docs/huggingface_hub, "Environment variables").
 *
 * @param endpoint the hub's address
 * @param token shows who asks, for gated and private models
 * @param cache the folder that holds {@code models--ORG--NAME}
 * @param offline whether only the cache may be used
 * @param patience what a server is allowed
 */
public record HubSettings(URI endpoint, Optional<String> token, Path cache, boolean offline, Patience patience) {
    private static final Set<String> YES = Set.of("1", "ON", "YES", "TRUE");
    private static final long MAXIMUM_TOKEN_BYTES = 4096;

    /**
     * What a server is allowed before it is given up.
     *
     * @param attempts failures in a row
     * @param pause before the second attempt; doubled for each after it
     * @param longestPause that a server may ask for
     * @param silence without a byte, after which a connection counts as cut
     */
    public record Patience(int attempts, Duration pause, Duration longestPause, Duration silence) {
        /** Six attempts over half a minute. */
        public static final Patience DEFAULT =
                new Patience(6, Duration.ofSeconds(1), Duration.ofMinutes(5), Duration.ofSeconds(30));
    }

    /**
     * @param environment variables by name
     * @throws InvalidRequestException if a variable's value is impossible
     */
    public static HubSettings of(Map<String, String> environment) throws IOException {
        Path home = Path.of(find(environment, "HOME").orElse(System.getProperty("user.home", ".")));
        Path base = find(environment, "HF_HOME")
                .map(written -> expand(written, home))
                .orElseGet(() -> find(environment, "XDG_CACHE_HOME")
                        .map(written -> expand(written, home))
                        .orElse(home.resolve(".cache"))
                        .resolve("huggingface"));
        Path cache = find(environment, "HF_HUB_CACHE")
                .or(() -> find(environment, "HUGGINGFACE_HUB_CACHE"))
                .map(written -> expand(written, home))
                .orElse(base.resolve("hub"));
        boolean offline = yes(environment, "HF_HUB_OFFLINE") || yes(environment, "TRANSFORMERS_OFFLINE");
        URI endpoint = endpoint(find(environment, "HF_ENDPOINT").orElse("https://huggingface.co"));
        Optional<String> token = offline ? Optional.empty() : token(environment, base, home);
        return new HubSettings(endpoint, token, cache, offline, Patience.DEFAULT);
    }

    /** The same, but only the cache may be used if {@code asked}. */
    public HubSettings offline(boolean asked) {
        return new HubSettings(endpoint, token, cache, offline || asked, patience);
    }

    private static Optional<String> find(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name)).map(String::strip).filter(value -> !value.isEmpty());
    }

    private static boolean yes(Map<String, String> environment, String name) {
        return find(environment, name)
                .filter(value -> YES.contains(value.toUpperCase(Locale.ROOT)))
                .isPresent();
    }

    private static Path expand(String written, Path home) {
        return written.startsWith("~/") ? home.resolve(written.substring(2)) : Path.of(written);
    }

    private static URI endpoint(String written) {
        String bare = written.replaceFirst("/+$", "");
        try {
            URI uri = new URI(bare);
            if (("https".equals(uri.getScheme()) || "http".equals(uri.getScheme())) && uri.getHost() != null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // Told below.
        }
        throw new InvalidRequestException(
                "HF_ENDPOINT", "'" + written + "' is no address", "write one like https://huggingface.co");
    }

    private static Optional<String> token(Map<String, String> environment, Path base, Path home) throws IOException {
        Optional<String> given = find(environment, "HF_TOKEN").or(() -> find(environment, "HUGGING_FACE_HUB_TOKEN"));
        String where = "HF_TOKEN";
        if (given.isEmpty() && !yes(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            Path file = find(environment, "HF_TOKEN_PATH")
                    .map(written -> expand(written, home))
                    .orElse(base.resolve("token"));
            where = file.toString();
            if (Files.isRegularFile(file) && Files.size(file) <= MAXIMUM_TOKEN_BYTES) {
                given = Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty());
            }
        }
        if (given.isPresent() && !given.get().chars().allMatch(c -> c > ' ' && c < 127)) {
            throw new InvalidRequestException(where, "holds what no token can be", "copy the token anew");
        }
        return given;
    }

    /** Without the token, which belongs into no log. */
    @Override
    public String toString() {
        return endpoint + (token.isPresent() ? " with a token" : "") + ", cache " + cache
                + (offline ? ", offline" : "");
    }
}
