/** How numbers lie in memory: scalar types and block formats, one codec a file. */
@NullMarked
package dev.demitasse.model.format;

import org.jspecify.annotations.NullMarked;
