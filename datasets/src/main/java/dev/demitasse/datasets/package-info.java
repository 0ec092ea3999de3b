/** Text in, token windows out: reading, splitting, packing and ordering what models are trained and judged on. */
@NullMarked
package dev.demitasse.datasets;

import org.jspecify.annotations.NullMarked;
