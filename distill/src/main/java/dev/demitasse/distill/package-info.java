/** Trains a student, against a teacher or on text alone. DJL is known here and in the packages below, nowhere else. */
@NullMarked
package dev.demitasse.distill;

import org.jspecify.annotations.NullMarked;
