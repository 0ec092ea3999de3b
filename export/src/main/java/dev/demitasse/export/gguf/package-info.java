/** GGUF files. */
@NullMarked
package dev.demitasse.export.gguf;

import org.jspecify.annotations.NullMarked;
