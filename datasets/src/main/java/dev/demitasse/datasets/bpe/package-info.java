/** Making a tokenizer from text: byte-level byte-pair encoding. */
@NullMarked
package dev.demitasse.datasets.bpe;

import org.jspecify.annotations.NullMarked;
