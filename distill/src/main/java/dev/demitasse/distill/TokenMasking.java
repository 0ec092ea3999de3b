package dev.demitasse.distill;

import dev.demitasse.distill.loss.CrossEntropy;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;

/**
 * Masked language modelling (Devlin et al., BERT, arXiv:1810.04805, §3.1, task 1): of each window 15 % of the tokens are asked
 * for; of these 80 % are replaced by the mask, 10 % by any token, and 10 % stay as they are.
 *
 * <p>A window that comes again is masked otherwise (RoBERTa, arXiv:1907.11692, §4.1). The choice follows from the seed and
 * the window's number alone, so that a training which is resumed sees what it would have seen.
 *
 * @param mask stands for a hidden token
 * @param special ids that are never asked for
 * @param vocabularySize how many ids there are
 */
record TokenMasking(int mask, List<Integer> special, int vocabularySize, long seed) implements LanguageTask {
    private static final double SHARE = 0.15;
    private static final double MASKED = 0.8;
    private static final double RANDOM = 0.1;

    @Override
    public Exercise pose(int[][] windows, long first) {
        int length = windows[0].length;
        int[][] ids = new int[windows.length][];
        long[] labels = new long[Math.multiplyExact(windows.length, length)];
        Arrays.fill(labels, CrossEntropy.NO_LABEL);
        for (int row = 0; row < windows.length; row++) {
            ids[row] = windows[row].clone();
            hide(ids[row], labels, row * length, first + row);
        }
        return new Exercise(ids, labels);
    }

    private void hide(int[] ids, long[] labels, int at, long number) {
        RandomGenerator random =
                RandomGeneratorFactory.of("L64X128MixRandom").create(seed * 0x9e3779b97f4a7c15L + number);
        int[] candidates = IntStream.range(0, ids.length)
                .filter(i -> !special.contains(ids[i]))
                .toArray();
        int count = Math.min(candidates.length, Math.max(1, Math.toIntExact(Math.round(SHARE * ids.length))));
        for (int chosen = 0; chosen < count; chosen++) {
            int pick = random.nextInt(chosen, candidates.length);
            int place = candidates[pick];
            candidates[pick] = candidates[chosen];
            labels[at + place] = ids[place];
            double fate = random.nextDouble();
            if (fate < MASKED) {
                ids[place] = mask;
            } else if (fate < MASKED + RANDOM) {
                ids[place] = random.nextInt(vocabularySize);
            }
        }
    }
}
