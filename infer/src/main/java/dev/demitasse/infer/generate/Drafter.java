package dev.demitasse.infer.generate;

import java.util.List;

/**
 * Proposes how a text goes on, for a model to check in one pass: speculative decoding (Leviathan et al., arXiv:2211.17192).
 * For one text at a time.
 */
public sealed interface Drafter extends AutoCloseable permits PromptLookup, DraftModel {
    /** Proposes up to {@code most} tokens after the first {@code length} of {@code sequence}. */
    Draft draft(int[] sequence, int length, int most);

    @Override
    void close();

    /** Proposed tokens, with what each was drawn from. */
    final class Draft {
        /** Nothing to propose. */
        static final Draft NONE = new Draft(new int[0], List.of());

        private final int[] tokens;
        private final List<Distribution> proposals;

        Draft(int[] tokens, List<Distribution> proposals) {
            this.tokens = tokens;
            this.proposals = proposals;
        }

        int[] tokens() {
            return tokens;
        }

        Distribution proposal(int index) {
            return proposals.get(index);
        }
    }
}
