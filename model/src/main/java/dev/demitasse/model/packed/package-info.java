/** How other tools lay out weights of few bits in 32-bit integers. */
@NullMarked
package dev.demitasse.model.packed;

import org.jspecify.annotations.NullMarked;
