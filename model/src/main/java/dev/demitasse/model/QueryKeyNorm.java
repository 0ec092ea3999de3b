package dev.demitasse.model;

/**
 * A norm of queries and keys before positions enter (Henry et al., arXiv:2010.04245).
 *
 * @param norm which
 * @param scope what is normalized at once, and whether heads share weights
 */
public record QueryKeyNorm(Norm norm, Scope scope) {
    /** What a norm of queries (or keys) spans. */
    public enum Scope {
        /** Each head by itself, all with the same weights {@code [D]}: Qwen3, Gemma 3. */
        HEAD,
        /** Each head by itself with weights of its own, {@code [heads, D]}: StableLM 2, Cohere. */
        EACH_HEAD,
        /** All heads together, weights {@code [heads · D]}: OLMo 2, OLMoE, MPT. */
        ALL_HEADS
    }
}
