package dev.demitasse.datasets;

import dev.demitasse.model.InvalidRequestException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Token ids in windows of equal length, one after another as the text has them. Immutable. */
public final class TokenWindows {
    private final String name;
    private final List<int[]> windows;
    private final TokenBytes tokenBytes;

    /**
     * @param name where the tokens are from, for messages
     * @param windows at least one, of equal lengths; not copied
     */
    TokenWindows(String name, List<int[]> windows, TokenBytes tokenBytes) {
        this.name = name;
        this.windows = windows;
        this.tokenBytes = tokenBytes;
    }

    /**
     * Windows of ids that no tokenizer made, so that they stand for no bytes of text.
     *
     * @param windows at least one, of equal lengths of 2 or more
     */
    public static TokenWindows ofTokens(String name, List<int[]> windows) {
        if (windows.isEmpty()
                || windows.getFirst().length < 2
                || windows.stream().anyMatch(window -> window.length != windows.getFirst().length)) {
            throw new IllegalArgumentException("windows must be of equal lengths of 2 or more: " + name);
        }
        return new TokenWindows(name, windows.stream().map(int[]::clone).toList(), TokenBytes.none());
    }

    /** How many windows there are. */
    public int count() {
        return windows.size();
    }

    /** How many tokens each window has. */
    public int length() {
        return windows.getFirst().length;
    }

    /** Tokens in all windows. */
    public long tokens() {
        return (long) count() * length();
    }

    /** A copy of the window {@code index} {@code [length]}. */
    public int[] window(int index) {
        return windows.get(index).clone();
    }

    /** UTF-8 bytes of the text that the windows cover. Special tokens (bos) cover none. */
    public long bytes() {
        return bytes(0);
    }

    /**
     * UTF-8 bytes of the text that the tokens from position {@code first} of each window cover: what to divide by for
     * bits per byte when only those are scored, as a window's first token cannot be.
     */
    public long bytes(int first) {
        long bytes = 0;
        for (int[] window : windows) {
            for (int position = first; position < window.length; position++) {
                bytes += tokenBytes.of(window[position]);
            }
        }
        return bytes;
    }

    /** A SHA-256, in hexadecimal, over the tokens. Reads them all. */
    public String fingerprint() {
        Fingerprint fingerprint = new Fingerprint("windows").add(length()).add(bytes());
        windows.forEach(fingerprint::add);
        return fingerprint.hex();
    }

    /** {@code count} of the windows, drawn without repetition by {@code seed}, in their order in the text. */
    public TokenWindows sample(int count, long seed) {
        requireAtMost(count);
        WindowOrder order = new WindowOrder(count(), seed);
        int[] drawn = IntStream.range(0, count).map(order::at).sorted().toArray();
        return new TokenWindows(
                name, Arrays.stream(drawn).mapToObj(windows::get).toList(), tokenBytes);
    }

    /** The same windows, the first token of every {@code every}th, from the first on, {@code token}. */
    public TokenWindows begunBy(int token, int every) {
        List<int[]> begun = new ArrayList<>();
        for (int index = 0; index < count(); index++) {
            int[] window = windows.get(index);
            if (index % every == 0) {
                window = window.clone();
                window[0] = token;
            }
            begun.add(window);
        }
        return new TokenWindows(name, begun, tokenBytes);
    }

    /** The windows from {@code from} up to, but not, {@code to}. */
    public TokenWindows take(int from, int to) {
        if (from < 0 || from >= to) {
            throw new IllegalArgumentException("from %d to %d".formatted(from, to));
        }
        requireAtMost(to);
        return new TokenWindows(name, windows.subList(from, to), tokenBytes);
    }

    private void requireAtMost(int count) {
        if (count < 1 || count > count()) {
            throw new InvalidRequestException(
                    name,
                    "%,d windows of %,d tokens were asked for, there are %,d".formatted(count, length(), count()),
                    count < 1 ? "ask for one or more" : "ask for fewer, for shorter ones, or name a longer text");
        }
    }
}
