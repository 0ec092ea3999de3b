package dev.demitasse.datasets;

import dev.demitasse.model.InvalidRequestException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Set;

/**
 * Divides documents into training, validation and test by a seeded hash of what they say. A document stays in its part
 * whatever is added before or after it, and copies of a document are all in the same part.
 *
 * @param validation the share of documents for validation, 0 to 1
 * @param test the share of documents for the test
 * @param seed another seed, another division
 */
public record Split(double validation, double test, long seed) {
    /** The parts of a {@link Split}. */
    public enum Part {
        TRAIN,
        VALIDATION,
        TEST;

        String title() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Split {
        if (!(validation >= 0 && test >= 0 && validation + test < 1)) {
            throw new InvalidRequestException(
                    "split",
                    "validation and test must be shares from 0 to 1 that leave something to train on, are %s and %s"
                            .formatted(validation, test),
                    "take 0.05 and 0.05");
        }
    }

    /** The part that {@code document} belongs to. */
    public Part partOf(String document) {
        double place = place(document);
        if (place < test) {
            return Part.TEST;
        }
        return place < test + validation ? Part.VALIDATION : Part.TRAIN;
    }

    /** The documents of {@code source} in {@code part}. */
    public TextSource of(TextSource source, Part part) {
        return of(source, Set.of(part));
    }

    /** The documents of {@code source} in any of {@code parts}. */
    public TextSource of(TextSource source, Set<Part> parts) {
        return new TextSource.Portion(source, this, parts);
    }

    /** A number from 0 to 1, evenly spread over documents: the first 53 bits of SHA-256(seed, document). */
    private double place(String document) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, seed));
            long bits = ByteBuffer.wrap(digest.digest(document.getBytes(StandardCharsets.UTF_8)))
                    .getLong();
            return (bits >>> 11) * 0x1p-53;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
