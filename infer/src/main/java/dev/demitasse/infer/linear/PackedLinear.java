package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.packed.PackedProduct;
import dev.demitasse.infer.parallel.Workers;

/** A projection over weights that were repacked for fast kernels. */
public final class PackedLinear implements Linear {
    private final PackedProduct product;
    private final float[] bias;

    /** @param bias one for each output, or empty */
    PackedLinear(PackedProduct product, float[] bias) {
        this.product = product;
        this.bias = bias;
    }

    @Override
    public int outputs() {
        return product.rows();
    }

    @Override
    public int inputs() {
        return product.columns();
    }

    @Override
    public void multiply(LinearInput x, float[] y, Workers workers) {
        TileProduct.check(this, x, y);
        if (product.takesFloats(x.tokens())) {
            product.multiply(x.tiles(workers), y, workers);
        } else {
            product.multiply(x.blocked(workers), y, workers);
        }
        for (int token = 0; token < x.tokens() && bias.length > 0; token++) {
            Elementwise.addScaled(bias, 0, 1, y, token * bias.length, bias.length);
        }
    }
}
