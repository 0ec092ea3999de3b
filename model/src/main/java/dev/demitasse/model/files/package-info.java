/** Files that appear whole or not at all. */
@NullMarked
package dev.demitasse.model.files;

import org.jspecify.annotations.NullMarked;
