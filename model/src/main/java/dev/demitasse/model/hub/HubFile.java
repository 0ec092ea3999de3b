package dev.demitasse.model.hub;

import dev.demitasse.model.MalformedModelException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What the hub says of one file.
 *
 * @param name in the repository
 * @param etag names its content: the SHA-256 of large files, the git blob's SHA-1 of others
 * @param bytes its length
 */
record HubFile(String name, String etag, long bytes) {
    private static final Pattern ETAG = Pattern.compile("[0-9A-Za-z][0-9A-Za-z._+-]{0,127}");
    private static final Pattern HEXADECIMAL = Pattern.compile("[0-9a-f]+");

    HubFile {
        // It becomes the name of a file in the cache.
        if (!ETAG.matcher(etag).matches() || etag.contains("..")) {
            throw new MalformedModelException(
                    name, "the hub gives it the impossible etag '" + shown(etag) + "'", "do not trust this server");
        }
    }

    /** An ETag header's text without quotes and weakness mark. */
    static String bare(String header) {
        return header.replaceFirst("^W/", "").replace("\"", "");
    }

    private static String shown(String text) {
        return text.length() > 80 ? text.substring(0, 80) + "…" : text;
    }

    /** The digest whose result must be the etag; empty where the server's etag is no hash, as mirrors' are. */
    Optional<MessageDigest> digest() {
        if (!HEXADECIMAL.matcher(etag).matches()) {
            return Optional.empty();
        }
        try {
            return switch (etag.length()) {
                case 64 -> Optional.of(MessageDigest.getInstance("SHA-256"));
                case 40 -> {
                    MessageDigest blob = MessageDigest.getInstance("SHA-1");
                    blob.update(("blob " + bytes + "\0").getBytes(StandardCharsets.US_ASCII));
                    yield Optional.of(blob);
                }
                default -> Optional.empty();
            };
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-1 and SHA-256", e);
        }
    }

    /** Whether {@code digest}, which took the whole content, says that it is the right one. */
    boolean verified(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest()).equals(etag);
    }
}
