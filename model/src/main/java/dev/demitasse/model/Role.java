package dev.demitasse.model;

/** What a tensor does in a model, whatever a file calls it. */
public enum Role {
    EMBEDDING(Place.BEFORE_LAYERS, true),
    ATTENTION_NORM(Place.LAYER, false),
    QUERY(Place.LAYER, true),
    KEY(Place.LAYER, true),
    VALUE(Place.LAYER, true),
    ATTENTION_OUTPUT(Place.LAYER, true),
    FEED_FORWARD_NORM(Place.LAYER, false),
    GATE(Place.LAYER, true),
    UP(Place.LAYER, true),
    DOWN(Place.LAYER, true),
    FINAL_NORM(Place.AFTER_LAYERS, false),
    HEAD(Place.AFTER_LAYERS, true);

    private enum Place {
        BEFORE_LAYERS,
        LAYER,
        AFTER_LAYERS
    }

    private final Place place;
    private final boolean matrix;

    Role(Place place, boolean matrix) {
        this.place = place;
        this.matrix = matrix;
    }

    /** Whether every decoder layer has one of its own. */
    public boolean perLayer() {
        return place == Place.LAYER;
    }

    /** Whether the weight is a matrix {@code [out, in]}; a norm's is a vector. */
    public boolean matrix() {
        return matrix;
    }

    /** Whether it is one of a decoder layer's linear projections: what pruning cuts and quantization rounds. */
    public boolean projection() {
        return matrix && place == Place.LAYER;
    }
}
