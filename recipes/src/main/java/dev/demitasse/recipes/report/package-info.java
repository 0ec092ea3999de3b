/** The report of a run: one HTML page that needs nothing beside it, and the same as Markdown. */
@NullMarked
package dev.demitasse.recipes.report;

import org.jspecify.annotations.NullMarked;
