/** Where a forward pass takes its weights from. */
@NullMarked
package dev.demitasse.infer.weights;

import org.jspecify.annotations.NullMarked;
