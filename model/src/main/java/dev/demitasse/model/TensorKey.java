package dev.demitasse.model;

/**
 * Names a tensor of a model independently of any file format.
 *
 * @param role what it does
 * @param part weight, bias, or the scales of an integer weight
 * @param layer the decoder layer from 0, or {@link #NO_LAYER}
 */
public record TensorKey(Role role, Part part, int layer) {
    /** The layer of a tensor that stands outside the decoder layers. */
    public static final int NO_LAYER = -1;

    /** Which of a module's tensors. */
    public enum Part {
        WEIGHT,
        BIAS,
        /** Scale of each output row of an INT8 weight, F32 {@code [out]}: w = scale · code. */
        SCALE
    }

    public TensorKey {
        if (role.perLayer() != (layer >= 0)) {
            throw new IllegalArgumentException(role + " with layer " + layer);
        }
    }

    public static TensorKey weight(Role role, int layer) {
        return new TensorKey(role, Part.WEIGHT, layer);
    }

    public static TensorKey weight(Role role) {
        return new TensorKey(role, Part.WEIGHT, NO_LAYER);
    }

    public static TensorKey bias(Role role, int layer) {
        return new TensorKey(role, Part.BIAS, layer);
    }

    /** The same module's other part. */
    public TensorKey part(Part other) {
        return new TensorKey(role, other, layer);
    }
}
