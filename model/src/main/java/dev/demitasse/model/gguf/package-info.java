/** GGUF files. */
@NullMarked
package dev.demitasse.model.gguf;

import org.jspecify.annotations.NullMarked;
