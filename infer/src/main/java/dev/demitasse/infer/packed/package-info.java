/**
 * Products of block-quantized matrices with inputs rounded to 8 bits: matrices interleaved for vector lanes, and kernels in
 * machine code, in the Vector API and in plain Java that agree to the last bit.
 */
@NullMarked
package dev.demitasse.infer.packed;

import org.jspecify.annotations.NullMarked;
