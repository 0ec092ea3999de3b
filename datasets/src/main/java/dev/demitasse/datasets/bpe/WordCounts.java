package dev.demitasse.datasets.bpe;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ObjLongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How often each word of a text occurs, words being what GPT-2's pattern cuts text into. */
final class WordCounts {
    /** GPT-2's pattern (its {@code encoder.py}), which Hugging Face's ByteLevel pre-tokenizer applies. */
    private static final Pattern WORD = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);

    private final Map<String, Count> counts = new LinkedHashMap<>();

    private static final class Count {
        private long value;
    }

    void add(String document) {
        Matcher matcher = WORD.matcher(document);
        while (matcher.find()) {
            counts.computeIfAbsent(matcher.group(), word -> new Count()).value++;
        }
    }

    int size() {
        return counts.size();
    }

    void forEach(ObjLongConsumer<String> action) {
        counts.forEach((word, count) -> action.accept(word, count.value));
    }
}
