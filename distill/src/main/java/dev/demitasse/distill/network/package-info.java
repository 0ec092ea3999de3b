/** A model whose forward pass PyTorch differentiates, and the way of weights into it and out of it. */
@NullMarked
package dev.demitasse.distill.network;

import org.jspecify.annotations.NullMarked;
