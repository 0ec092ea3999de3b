/** Which tensor gets which format. */
@NullMarked
package dev.demitasse.quantize.mix;

import org.jspecify.annotations.NullMarked;
