package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.MalformedModelException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.BitSet;
import java.util.Deque;

/**
 * Walks all of a SentencePiece character map as the native library would for any text, which follows its links without
 * looking where they lead. A map is a double-array trie (Aoe 1989; github.com/s-yata/darts-clone, whose bits these are)
 * from characters to places in a text of replacements, each ended by a zero:
 *
 * <pre>
 * trie bytes u32 | trie, u32 each | replacements, UTF-8
 * unit: bits 0-7 label, 8 has a leaf, 9 offset is in 256s, 10-30 offset, 31 of a leaf; a leaf: bits 0-30 its value
 * </pre>
 */
final class CharacterMapGuard {
    private static final int MAXIMUM_BYTES = 16 << 20;

    private final int[] units;
    private final byte[] replacements;

    private CharacterMapGuard(int[] units, byte[] replacements) {
        this.units = units;
        this.replacements = replacements;
    }

    /** @param map base64 */
    static void check(Path path, JsonNode map) {
        if (!map.isTextual() || map.textValue().length() > MAXIMUM_BYTES || !read(map.textValue())) {
            throw new MalformedModelException(
                    path,
                    "its normalizer's precompiled_charsmap is no whole character map",
                    "take the tokenizer.json that came with the model");
        }
    }

    private static boolean read(String base64) {
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(base64);
        } catch (IllegalArgumentException e) {
            return false;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < 8) {
            return false;
        }
        int trieBytes = buffer.getInt();
        if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > buffer.remaining()) {
            return false;
        }
        int[] units = new int[trieBytes / 4];
        buffer.asIntBuffer().get(units);
        buffer.position(buffer.position() + trieBytes);
        byte[] replacements = new byte[buffer.remaining()];
        buffer.get(replacements);
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(replacements));
        } catch (CharacterCodingException e) {
            return false;
        }
        return new CharacterMapGuard(units, replacements).isSafe();
    }

    /** Whether every link that some text could follow stays inside. */
    private boolean isSafe() {
        BitSet seen = new BitSet(units.length);
        Deque<Integer> bases = new ArrayDeque<>();
        bases.push(offset(units[0]));
        while (!bases.isEmpty()) {
            int base = bases.pop();
            for (int label = 1; label < 256; label++) {
                int place = base ^ label;
                if (place < 0 || place >= units.length) {
                    return false;
                }
                int unit = units[place];
                if ((unit & 0x800000ff) != label || seen.get(place)) {
                    continue;
                }
                seen.set(place);
                int next = place ^ offset(unit);
                boolean leaf = (unit >>> 8 & 1) != 0;
                boolean wholeCharacter = base == offset(units[0]) && label < 128;
                if (leaf
                        && !(next >= 0
                                && next < units.length
                                && isPlace(units[next] & 0x7fffffff, label, wholeCharacter))) {
                    return false;
                }
                bases.push(next);
            }
        }
        return true;
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >>> 6);
    }

    /**
     * Whether a character of the replacements begins there, or they end.
     *
     * @param first label of the replaced
     * @param whole whether that is all that is replaced: letters and digits must not be by nothing
     */
    private boolean isPlace(int value, int first, boolean whole) {
        if (value < 0 || value >= replacements.length || (replacements[value] & 0xc0) == 0x80) {
            return false;
        }
        return !whole || !Character.isLetterOrDigit(first) || Character.isLetterOrDigit(replacements[value]);
    }
}
