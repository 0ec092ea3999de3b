package dev.demitasse.datasets.bpe;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Bytes written as printable characters, as GPT-2 does (Radford et al. 2019, "Language Models are Unsupervised Multitask
 * Learners", §2.2, and its code's {@code bytes_to_unicode}): the printable characters of Latin-1 stand for themselves, the
 * 68 other bytes, in order, for U+0100 and on.
 */
final class ByteAlphabet {
    private static final int BYTES = 256;

    private final char[] characters = new char[BYTES];

    ByteAlphabet() {
        char next = 0x100;
        for (int value = 0; value < BYTES; value++) {
            boolean printable = value >= '!' && value <= '~' || value >= '¡' && value <= '¬' || value >= '®';
            characters[value] = printable ? (char) value : next++;
        }
    }

    /** The character for each byte of {@code text} in UTF-8. */
    String write(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        char[] written = new char[bytes.length];
        for (int index = 0; index < bytes.length; index++) {
            written[index] = characters[bytes[index] & 0xFF];
        }
        return new String(written);
    }

    /** All 256 characters in the order of their code points, which is the order of their token ids. */
    char[] sorted() {
        char[] sorted = characters.clone();
        Arrays.sort(sorted);
        return sorted;
    }
}
