/** The dense arithmetic that quantizing needs: second moments of activations, products, and the inverse's Cholesky factor. */
@NullMarked
package dev.demitasse.quantize.matrix;

import org.jspecify.annotations.NullMarked;
