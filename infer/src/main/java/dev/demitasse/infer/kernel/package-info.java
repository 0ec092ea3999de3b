/** Inner loops on the Vector API, at whatever vector width the machine prefers. */
@NullMarked
package dev.demitasse.infer.kernel;

import org.jspecify.annotations.NullMarked;
