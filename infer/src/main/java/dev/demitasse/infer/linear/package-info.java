/** Linear projections over weights of any format. */
@NullMarked
package dev.demitasse.infer.linear;

import org.jspecify.annotations.NullMarked;
