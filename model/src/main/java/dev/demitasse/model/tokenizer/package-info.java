/** Text to token ids and back. */
@NullMarked
package dev.demitasse.model.tokenizer;

import org.jspecify.annotations.NullMarked;
