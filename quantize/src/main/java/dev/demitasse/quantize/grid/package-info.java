/** The numbers that a format can hold, how a scale is chosen for a group of weights, and what results. */
@NullMarked
package dev.demitasse.quantize.grid;

import org.jspecify.annotations.NullMarked;
