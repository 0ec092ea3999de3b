/** How fast a model runs on this machine, and how fast the machine is. */
@NullMarked
package dev.demitasse.infer.bench;

import org.jspecify.annotations.NullMarked;
