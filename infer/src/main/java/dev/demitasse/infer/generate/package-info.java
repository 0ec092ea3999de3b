/** Continues a text token by token. */
@NullMarked
package dev.demitasse.infer.generate;

import org.jspecify.annotations.NullMarked;
