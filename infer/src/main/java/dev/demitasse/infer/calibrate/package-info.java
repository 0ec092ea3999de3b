/** Looks at what goes through a model, to fix in advance how that is rounded. */
@NullMarked
package dev.demitasse.infer.calibrate;

import org.jspecify.annotations.NullMarked;
