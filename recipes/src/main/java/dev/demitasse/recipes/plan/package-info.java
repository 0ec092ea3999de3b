/** What a recipe will make, and what that takes, computed before any work starts. */
@NullMarked
package dev.demitasse.recipes.plan;

import org.jspecify.annotations.NullMarked;
