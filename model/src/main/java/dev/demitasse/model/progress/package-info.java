/** How long work tells how far it is. */
@NullMarked
package dev.demitasse.model.progress;

import org.jspecify.annotations.NullMarked;
