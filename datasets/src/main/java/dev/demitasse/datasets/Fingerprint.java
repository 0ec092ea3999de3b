package dev.demitasse.datasets;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A SHA-256 over parts, each with its length beside it, so that no two lists of parts read the same. */
final class Fingerprint {
    private final MessageDigest digest;

    Fingerprint(String kind) {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
        add(kind);
    }

    Fingerprint add(String part) {
        byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
        add(bytes.length);
        digest.update(bytes);
        return this;
    }

    Fingerprint add(long part) {
        digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, part));
        return this;
    }

    Fingerprint add(int[] part) {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(part.length, Integer.BYTES));
        bytes.asIntBuffer().put(part);
        add(part.length);
        digest.update(bytes);
        return this;
    }

    /** The whole content of a file. */
    Fingerprint add(Path file) {
        byte[] buffer = new byte[1 << 16];
        try (InputStream input = Utf8Reader.bytes(file)) {
            long length = 0;
            for (int count = input.read(buffer); count >= 0; count = input.read(buffer)) {
                digest.update(buffer, 0, count);
                length += count;
            }
            return add(length);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** 64 hexadecimal digits. */
    String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
