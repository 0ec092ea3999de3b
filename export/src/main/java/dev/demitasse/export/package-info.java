/** Writes models in the formats that other programs run. */
@NullMarked
package dev.demitasse.export;

import org.jspecify.annotations.NullMarked;
