/** GPTQ: rounding column by column, each error made up for by the columns still to come. */
@NullMarked
package dev.demitasse.quantize.gptq;

import org.jspecify.annotations.NullMarked;
