package dev.demitasse.datasets.bpe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class BpeTrainerTest {
    /**
     * The dictionary of Sennrich et al. 2016, §3.2 (low 5, lower 2, newest 6, widest 3), a space before each word where
     * the paper has a mark after it. By hand: e s and s t occur 9 times and e comes before s; then es t, 9. Of the pairs
     * with 7, l o is lowest; of Ġ lo and lo w the former, its left token being a byte; then Ġlo w. Of those with 6
     * (Ġ n, n e, e w, w est) e w is lowest, then n ew, Ġ new, Ġnew est.
     */
    @Test
    void mergesOfThePapersExampleAreThoseFoundByHand() throws IOException {
        String text = " low".repeat(5) + " lower".repeat(2) + " newest".repeat(6) + " widest".repeat(3);
        assertThat(merges(train(text, 267)))
                .containsExactly("e s", "es t", "l o", "Ġ lo", "Ġlo w", "e w", "n ew", "Ġ new", "Ġnew est");
    }

    /** The definition, executed: count all pairs anew for every merge. */
    @Test
    void mergesAreThoseOfCountingAnewEachTime() throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        for (int repeat = 0; repeat < 20; repeat++) {
            StringBuilder text = new StringBuilder();
            for (int at = 0; at < 3000; at++) {
                text.append("aaabbcd e".charAt(random.nextInt(9)));
            }
            List<String> merges = merges(train(text.toString(), 300));
            assertThat(merges).isEqualTo(naive(text.toString(), merges.size()));
        }
    }

    @Test
    void anyTextDecodesToItself() {
        Tokenizer tokenizer = train(sample(), 330);
        SplittableRandom random = new SplittableRandom(6);
        for (int repeat = 0; repeat < 1000; repeat++) {
            String text = randomUnicode(random);
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
            assertThat(tokenizer.decode(tokenizer.encodeWithSpecial(text))).isEqualTo(text);
        }
    }

    @Test
    void theVocabularyHasTheSizeAskedForAndTextStartsWithTheBeginToken() {
        Tokenizer tokenizer = train(sample(), 300);
        assertThat(tokenizer.vocabularySize()).isEqualTo(300);
        int[] plain = tokenizer.encode("the cat");
        int[] special = tokenizer.encodeWithSpecial("the cat");
        assertThat(special).startsWith(0).endsWith(plain).hasSize(plain.length + 1);
        assertThat(tokenizer.encode(BpeTrainer.END)).containsExactly(1);
    }

    @Test
    void realTextIsEncodedInFewerTokensTheLargerTheVocabulary() throws IOException {
        String text =
                Files.readString(SharedData.require("data/text/grimm.txt")).substring(0, 150_000);
        int small = train(text, 512).encode(text).length;
        int large = train(text, 2048).encode(text).length;
        assertThat(large).isLessThan(small * 3 / 4);
        assertThat(small).isLessThan(text.length() / 2);
    }

    @Test
    void theSameTextGivesTheSameTokenizer() {
        assertThat(train(sample(), 330).json()).isEqualTo(train(sample(), 330).json());
    }

    @Test
    void aVocabularyThatTheTextCannotFillIsRefused() {
        assertThatThrownBy(() -> train("a cat, a cat", 1000))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("1,000 tokens were asked for");
        assertThatThrownBy(() -> train("a cat", 257))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("must be at least 258");
    }

    private static Tokenizer train(String text, int size) {
        return BpeTrainer.train(Stream.of(text), size, Progress.SILENT);
    }

    private static String sample() {
        return "The cat sat on the mat, and the rat that sat there ran. \"Is that the cat?\" it said.\n".repeat(3)
                + "Über allen Gipfeln ist Ruh, über allen Wipfeln spürest du kaum einen Hauch.\n".repeat(3);
    }

    private static List<String> merges(Tokenizer tokenizer) throws IOException {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge :
                new ObjectMapper().readTree(tokenizer.json()).path("model").path("merges")) {
            merges.add(merge.asText());
        }
        return merges;
    }

    private static List<String> naive(String text, int count) {
        List<List<String>> words = new ArrayList<>();
        WordCounts counts = new WordCounts();
        counts.add(text);
        ByteAlphabet alphabet = new ByteAlphabet();
        List<String> order = new ArrayList<>();
        for (char character : alphabet.sorted()) {
            order.add(String.valueOf(character));
        }
        counts.forEach((word, times) -> {
            for (long time = 0; time < times; time++) {
                words.add(new ArrayList<>(List.of(alphabet.write(word).split(""))));
            }
        });
        List<String> merges = new ArrayList<>();
        while (merges.size() < count) {
            Map<List<String>, Integer> pairs = new HashMap<>();
            for (List<String> word : words) {
                for (int at = 0; at + 1 < word.size(); at++) {
                    pairs.merge(List.of(word.get(at), word.get(at + 1)), 1, Integer::sum);
                }
            }
            List<String> best = pairs.keySet().stream()
                    .min(Comparator.<List<String>>comparingInt(pair -> -pairs.get(pair))
                            .thenComparingInt(pair -> order.indexOf(pair.get(0)))
                            .thenComparingInt(pair -> order.indexOf(pair.get(1))))
                    .orElseThrow();
            merges.add(String.join(" ", best));
            String joined = String.join("", best);
            if (!order.contains(joined)) {
                order.add(joined);
            }
            for (List<String> word : words) {
                for (int at = 0; at + 1 < word.size(); at++) {
                    if (word.get(at).equals(best.get(0)) && word.get(at + 1).equals(best.get(1))) {
                        word.set(at, joined);
                        word.remove(at + 1);
                    }
                }
            }
        }
        return merges;
    }

    private static String randomUnicode(SplittableRandom random) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(40);
        while (text.length() < length) {
            int limit = new int[] {0x80, 0x800, 0x10000, 0x110000}[random.nextInt(4)];
            int codePoint = random.nextInt(limit);
            if (!Character.isSurrogate((char) codePoint) || codePoint > 0xFFFF) {
                text.appendCodePoint(codePoint);
            }
        }
        return text.toString();
    }
}
