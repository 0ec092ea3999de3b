package dev.demitasse.infer.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Proposes what followed the last tokens where they stood before (Saxena, "Prompt Lookup Decoding", 2023): right where a text
 * repeats its prompt, as a summary, a translation of code or an answer about a document does. Costs next to nothing.
 */
public final class PromptLookup implements Drafter {
    /** Tokens that must agree: as many as do, from here down to {@link #SHORTEST}. */
    private static final int LONGEST = 4;

    private static final int SHORTEST = 2;

    @Override
    public Draft draft(int[] sequence, int length, int most) {
        for (int size = Math.min(LONGEST, length - 1); size >= SHORTEST; size--) {
            for (int start = length - size - 1; start >= 0; start--) {
                int next = start + size;
                if (Arrays.equals(sequence, start, next, sequence, length - size, length)) {
                    return certain(Arrays.copyOfRange(sequence, next, Math.min(length, next + most)));
                }
            }
        }
        return Draft.NONE;
    }

    private static Draft certain(int[] tokens) {
        List<Distribution> proposals = new ArrayList<>();
        for (int token : tokens) {
            proposals.add(Distribution.certain(token));
        }
        return new Draft(tokens, proposals);
    }

    @Override
    public void close() {}
}
