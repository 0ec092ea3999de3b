/**
 * Transforms that leave a model's function as it is and make its weights, or its activations, easier to round: channels of
 * an input divided by factors that the weights reading it are multiplied by.
 */
@NullMarked
package dev.demitasse.quantize.transform;

import org.jspecify.annotations.NullMarked;
