/** Judges a model: perplexity, divergence from a reference, speed. */
@NullMarked
package dev.demitasse.infer.evaluate;

import org.jspecify.annotations.NullMarked;
