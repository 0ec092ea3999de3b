/** What training makes small: pure functions of arrays. */
@NullMarked
package dev.demitasse.distill.loss;

import org.jspecify.annotations.NullMarked;
