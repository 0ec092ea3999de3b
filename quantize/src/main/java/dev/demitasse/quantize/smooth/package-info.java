/** SmoothQuant: moving the spread of activations into weights before both are rounded to INT8. */
@NullMarked
package dev.demitasse.quantize.smooth;

import org.jspecify.annotations.NullMarked;
