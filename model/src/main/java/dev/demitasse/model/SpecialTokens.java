package dev.demitasse.model;

import java.util.List;
import java.util.OptionalInt;

/**
 * Token ids with a meaning of their own.
 *
 * @param bos starts a sequence
 * @param eos each ends one
 * @param pad fills one up
 */
public record SpecialTokens(OptionalInt bos, List<Integer> eos, OptionalInt pad) {
    public SpecialTokens {
        eos = List.copyOf(eos);
    }
}
