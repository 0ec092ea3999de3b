package dev.demitasse.model;

/** What a tensor does in a model, whatever a file calls it. */
public enum Role {
    EMBEDDING(Place.BEFORE_LAYERS, Kind.TABLE),
    /** Rows that are added by position. */
    POSITION_EMBEDDING(Place.BEFORE_LAYERS, Kind.TABLE),
    /** Rows that are added by segment. */
    TOKEN_TYPE_EMBEDDING(Place.BEFORE_LAYERS, Kind.TABLE),
    EMBEDDING_NORM(Place.BEFORE_LAYERS, Kind.VECTOR),
    /** From an embedding narrower (or wider) than the residual stream to its width. */
    PROJECT_IN(Place.BEFORE_LAYERS, Kind.MATRIX),
    /** Before attention. */
    ATTENTION_NORM(Place.LAYER, Kind.VECTOR),
    QUERY(Place.LAYER, Kind.MATRIX),
    KEY(Place.LAYER, Kind.MATRIX),
    VALUE(Place.LAYER, Kind.MATRIX),
    QUERY_NORM(Place.LAYER, Kind.VECTOR),
    KEY_NORM(Place.LAYER, Kind.VECTOR),
    ATTENTION_OUTPUT(Place.LAYER, Kind.MATRIX),
    /** After attention: of what it gives, or of the sum with the residual stream; see {@link Residual}. */
    ATTENTION_POST_NORM(Place.LAYER, Kind.VECTOR),
    /** Before the feed-forward block. */
    FEED_FORWARD_NORM(Place.LAYER, Kind.VECTOR),
    GATE(Place.LAYER, Kind.MATRIX),
    UP(Place.LAYER, Kind.MATRIX),
    DOWN(Place.LAYER, Kind.MATRIX),
    /** One score for each expert. */
    ROUTER(Place.LAYER, Kind.MATRIX),
    EXPERT_GATE(Place.LAYER, Kind.MATRIX),
    EXPERT_UP(Place.LAYER, Kind.MATRIX),
    EXPERT_DOWN(Place.LAYER, Kind.MATRIX),
    /** One score for the expert that all tokens share. */
    SHARED_ROUTER(Place.LAYER, Kind.MATRIX),
    SHARED_GATE(Place.LAYER, Kind.MATRIX),
    SHARED_UP(Place.LAYER, Kind.MATRIX),
    SHARED_DOWN(Place.LAYER, Kind.MATRIX),
    /** After the feed-forward block, as {@link #ATTENTION_POST_NORM}. */
    FEED_FORWARD_POST_NORM(Place.LAYER, Kind.VECTOR),
    FINAL_NORM(Place.AFTER_LAYERS, Kind.VECTOR),
    /** From the residual stream's width to the embedding's. */
    PROJECT_OUT(Place.AFTER_LAYERS, Kind.MATRIX),
    /** A masked-language-model head's own layer, before its norm and the projection onto the vocabulary. */
    HEAD_TRANSFORM(Place.AFTER_LAYERS, Kind.MATRIX),
    HEAD_NORM(Place.AFTER_LAYERS, Kind.VECTOR),
    HEAD(Place.AFTER_LAYERS, Kind.TABLE);

    private enum Place {
        BEFORE_LAYERS,
        LAYER,
        AFTER_LAYERS
    }

    private enum Kind {
        VECTOR,
        MATRIX,
        /** A matrix with a row for each token, position or segment. */
        TABLE
    }

    private final Place place;
    private final Kind kind;

    Role(Place place, Kind kind) {
        this.place = place;
        this.kind = kind;
    }

    /** Whether every layer has one of its own. */
    public boolean perLayer() {
        return place == Place.LAYER;
    }

    /** Whether it stands before the first layer. */
    public boolean beforeLayers() {
        return place == Place.BEFORE_LAYERS;
    }

    /** Whether the weight is a matrix {@code [out, in]}; a norm's is a vector, or one for each head. */
    public boolean matrix() {
        return kind != Kind.VECTOR;
    }

    /** Whether it normalizes. */
    public boolean norm() {
        return kind == Kind.VECTOR;
    }

    /** Whether it is one of the matrices of an expert of its own: there are as many as experts in a layer. */
    public boolean perExpert() {
        return this == EXPERT_GATE || this == EXPERT_UP || this == EXPERT_DOWN;
    }

    /**
     * Whether it is one of a layer's linear projections: what pruning cuts and quantization rounds. A router is not: its
     * few numbers decide which experts compute at all.
     */
    public boolean projection() {
        return kind == Kind.MATRIX && place == Place.LAYER && this != ROUTER && this != SHARED_ROUTER;
    }

    /** Whether quantization rounds it: projections, the embedding, the head. */
    public boolean quantized() {
        return projection() || this == EMBEDDING || this == HEAD;
    }

    /** Whether its outputs are a query's or a key's dimensions, which rotary positions pair. */
    public boolean rotates() {
        return this == QUERY || this == KEY || this == QUERY_NORM || this == KEY_NORM;
    }
}
