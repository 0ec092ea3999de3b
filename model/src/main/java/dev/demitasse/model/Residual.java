package dev.demitasse.model;

/**
 * How a layer's attention a, feed-forward block f and norms stand around the residual stream h. n₁ is
 * {@link Role#ATTENTION_NORM}, m₁ {@link Role#ATTENTION_POST_NORM}, n₂ {@link Role#FEED_FORWARD_NORM}, m₂
 * {@link Role#FEED_FORWARD_POST_NORM}.
 */
public enum Residual {
    /** h += a(n₁(h)); h += f(n₂(h)): GPT-2, Llama. */
    PRE_NORM(true, false),
    /** h = m₁(h + a(h)); h = m₂(h + f(h)): BERT, OPT-350M (Xiong et al., arXiv:2002.04745, figure 1a). */
    POST_NORM(false, true),
    /** h += m₁(a(h)); h += m₂(f(h)): OLMo 2 (arXiv:2501.00656 §3.3). */
    OUTPUT_NORM(false, true),
    /** h += m₁(a(n₁(h))); h += m₂(f(n₂(h))): Gemma 2 (arXiv:2408.00118 §2). */
    SANDWICH_NORM(true, true),
    /** x = n₁(h); h += a(x) + f(x): GPT-J, Falcon-7B, Phi, Cohere. */
    PARALLEL(true, false),
    /** h += a(n₁(h)) + f(n₂(h)): GPT-NeoX, Falcon-40B. */
    PARALLEL_TWO_NORMS(true, false);

    private final boolean before;
    private final boolean after;

    Residual(boolean before, boolean after) {
        this.before = before;
        this.after = after;
    }

    /** Whether a layer has the norm {@code role}. */
    public boolean has(Role role) {
        return switch (role) {
            case ATTENTION_NORM -> before;
            case FEED_FORWARD_NORM -> before && this != PARALLEL;
            case ATTENTION_POST_NORM, FEED_FORWARD_POST_NORM -> after;
            default -> throw new IllegalArgumentException(role + " is no norm of a layer");
        };
    }

    /** Whether attention and feed-forward block both read the layer's input. */
    public boolean parallel() {
        return this == PARALLEL || this == PARALLEL_TWO_NORMS;
    }
}
