/** Makes a model smaller by taking whole parts out of it: neurons, heads, layers, hidden channels. */
@NullMarked
package dev.demitasse.prune;

import org.jspecify.annotations.NullMarked;
