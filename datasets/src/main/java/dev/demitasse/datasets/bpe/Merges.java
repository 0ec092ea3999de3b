package dev.demitasse.datasets.bpe;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Words as sequences of token ids, and the most frequent pair of neighbours in them (Sennrich, Haddow and Birch,
 * "Neural Machine Translation of Rare Words with Subword Units", ACL 2016, §3.2, algorithm 1).
 *
 * <p>Deviation from algorithm 1, not in result: pair counts are kept up to date where a merge changes a word rather than
 * counted anew, and a queue that corrects an outdated entry when it comes up finds the maximum. Of pairs equally
 * frequent the one with the lower ids goes first, as in Hugging Face's tokenizers.
 */
final class Merges {
    /** Two neighbouring tokens. */
    record Pair(int left, int right) {}

    private record Candidate(Pair pair, long count) implements Comparable<Candidate> {
        @Override
        public int compareTo(Candidate other) {
            if (count != other.count) {
                return Long.compare(other.count, count);
            }
            int byLeft = Integer.compare(pair.left, other.pair.left);
            return byLeft != 0 ? byLeft : Integer.compare(pair.right, other.pair.right);
        }
    }

    /** Where a pair occurs: a word may be listed twice, or no longer have it. */
    private static final class Occurrences {
        private long count;
        private int[] words = new int[4];
        private int size;

        private void add(int word, long times) {
            count += times;
            if (size > 0 && words[size - 1] == word) {
                return;
            }
            if (size == words.length) {
                words = Arrays.copyOf(words, 2 * size);
            }
            words[size++] = word;
        }
    }

    private final int[][] words;
    private final long[] counts;
    private final Map<Pair, Occurrences> pairs = new HashMap<>();
    private final PriorityQueue<Candidate> queue = new PriorityQueue<>();

    /**
     * @param words token ids of each distinct word
     * @param counts how often each occurs
     */
    Merges(int[][] words, long[] counts) {
        this.words = words;
        this.counts = counts;
        for (int word = 0; word < words.length; word++) {
            for (int at = 0; at + 1 < words[word].length; at++) {
                occurrences(pair(word, at)).add(word, counts[word]);
            }
        }
        pairs.forEach((pair, occurrences) -> queue.add(new Candidate(pair, occurrences.count)));
    }

    /** The most frequent pair, if one occurs at least {@code minimum} times. */
    Optional<Pair> next(long minimum) {
        while (!queue.isEmpty()) {
            Candidate candidate = queue.poll();
            Occurrences occurrences = pairs.get(candidate.pair);
            long count = occurrences == null ? 0 : occurrences.count;
            if (count == candidate.count) {
                return count >= minimum ? Optional.of(candidate.pair) : Optional.empty();
            }
            if (count >= minimum) {
                queue.add(new Candidate(candidate.pair, count));
            }
        }
        return Optional.empty();
    }

    /** Makes {@code pair} the token {@code merged} wherever it occurs. */
    void merge(Pair pair, int merged) {
        Occurrences occurrences = pairs.get(pair);
        if (occurrences == null) {
            return;
        }
        Map<Pair, Boolean> added = new HashMap<>();
        for (int index = 0; index < occurrences.size; index++) {
            int word = occurrences.words[index];
            int[] joined = join(words[word], pair, merged);
            if (joined.length < words[word].length) {
                replace(word, joined, merged, added);
            }
        }
        pairs.remove(pair);
        for (Pair fresh : added.keySet()) {
            Occurrences found = pairs.get(fresh);
            if (found != null && found.count > 0) {
                queue.add(new Candidate(fresh, found.count));
            }
        }
    }

    private void replace(int word, int[] joined, int merged, Map<Pair, Boolean> added) {
        for (int at = 0; at + 1 < words[word].length; at++) {
            occurrences(pair(word, at)).count -= counts[word];
        }
        words[word] = joined;
        for (int at = 0; at + 1 < joined.length; at++) {
            Pair neighbours = pair(word, at);
            if (neighbours.left == merged || neighbours.right == merged) {
                occurrences(neighbours).add(word, counts[word]);
                added.put(neighbours, true);
            } else {
                occurrences(neighbours).count += counts[word];
            }
        }
    }

    private Pair pair(int word, int at) {
        return new Pair(words[word][at], words[word][at + 1]);
    }

    private Occurrences occurrences(Pair pair) {
        return pairs.computeIfAbsent(pair, absent -> new Occurrences());
    }

    private static int[] join(int[] word, Pair pair, int merged) {
        int[] joined = new int[word.length];
        int length = 0;
        for (int at = 0; at < word.length; at++) {
            boolean found = at + 1 < word.length && word[at] == pair.left && word[at + 1] == pair.right;
            joined[length++] = found ? merged : word[at];
            at += found ? 1 : 0;
        }
        return length == word.length ? word : Arrays.copyOf(joined, length);
    }
}
