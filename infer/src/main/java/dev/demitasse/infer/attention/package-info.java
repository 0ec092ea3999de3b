/** Scaled dot-product attention, and the keys and values it remembers. */
@NullMarked
package dev.demitasse.infer.attention;

import org.jspecify.annotations.NullMarked;
