/** The embedded corpus: short stories for children, told by a grammar. */
@NullMarked
package dev.demitasse.datasets.stories;

import org.jspecify.annotations.NullMarked;
