/** The command line. */
@NullMarked
package dev.demitasse.recipes.command;

import org.jspecify.annotations.NullMarked;
