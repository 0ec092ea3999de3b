/** How a gradient becomes a step: AdamW, gradient clipping, the learning rate's schedule. */
@NullMarked
package dev.demitasse.distill.optimize;

import org.jspecify.annotations.NullMarked;
