/** Spreads the parts of a computation over cores. */
@NullMarked
package dev.demitasse.infer.parallel;

import org.jspecify.annotations.NullMarked;
