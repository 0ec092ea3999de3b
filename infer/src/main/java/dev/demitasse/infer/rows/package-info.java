/**
 * Products of a few tokens with matrices of floats as they lie in a file, in streams of rows read side by side: kernels in
 * machine code, in the Vector API and in plain Java that agree to the last bit where their vectors are of one width.
 */
@NullMarked
package dev.demitasse.infer.rows;

import org.jspecify.annotations.NullMarked;
