/** Runs a plan: stage after stage, evaluation after each, gates, the report. */
@NullMarked
package dev.demitasse.recipes.run;

import org.jspecify.annotations.NullMarked;
