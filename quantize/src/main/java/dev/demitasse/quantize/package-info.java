/** Quantizes a checkpoint onto the grids of the formats that ship, layer by layer. */
@NullMarked
package dev.demitasse.quantize;

import org.jspecify.annotations.NullMarked;
