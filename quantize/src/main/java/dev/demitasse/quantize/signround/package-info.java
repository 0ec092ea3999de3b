/** Rounding learned by signed gradient descent. */
@NullMarked
package dev.demitasse.quantize.signround;

import org.jspecify.annotations.NullMarked;
