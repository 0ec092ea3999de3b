/**
 * The recipe language: what a recipe says, as records, and its reading from YAML with every mistake found at once.
 */
@NullMarked
package dev.demitasse.recipes.language;

import org.jspecify.annotations.NullMarked;
