/** Reference outputs that a checkpoint is proved against. */
@NullMarked
package dev.demitasse.model.reference;

import org.jspecify.annotations.NullMarked;
