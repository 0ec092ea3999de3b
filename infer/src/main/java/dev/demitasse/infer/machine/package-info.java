/** Machine code written at run time: an assembler for the few x86-64 instructions kernels use, and memory to run it from. */
@NullMarked
package dev.demitasse.infer.machine;

import org.jspecify.annotations.NullMarked;
