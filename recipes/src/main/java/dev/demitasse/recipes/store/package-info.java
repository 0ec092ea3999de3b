/** A run's folder: what each stage left behind, and whether it is still what the recipe asks for. */
@NullMarked
package dev.demitasse.recipes.store;

import org.jspecify.annotations.NullMarked;
