package dev.demitasse.model.chat;

import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How large a value is once it is written out. Lists that hold the same list twice, and so on, are small to keep and
 * endless to write; each object is weighed once.
 */
final class Weight {
    /** What a template may have in one variable. */
    static final long MOST = 1 << 22;

    private final Map<Object, Long> weighed = new IdentityHashMap<>();

    private Weight() {}

    /** Characters and elements, at most a little more than {@link #MOST}. */
    static long of(@Nullable Object value) {
        return new Weight().weigh(value, 0);
    }

    private long weigh(@Nullable Object value, int depth) {
        if (value instanceof CharSequence text) {
            return text.length();
        }
        if (depth > 100) {
            return MOST + 1;
        }
        Iterable<?> parts;
        if (value instanceof Map<?, ?> map) {
            parts = map.entrySet();
        } else if (value instanceof Collection<?> collection) {
            parts = collection;
        } else if (value instanceof Map.Entry<?, ?> entry) {
            return weigh(entry.getKey(), depth + 1) + weigh(entry.getValue(), depth + 1);
        } else {
            return 1;
        }
        Long known = weighed.get(value);
        if (known != null) {
            return known;
        }
        long weight = 1;
        for (Object part : parts) {
            weight = Math.min(MOST + 1, weight + weigh(part, depth + 1));
        }
        weighed.put(value, weight);
        return weight;
    }
}
