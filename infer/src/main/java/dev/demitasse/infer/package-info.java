/** Runs a decoder on the CPU: one forward pass for prefill and decode, over a KV cache. */
@NullMarked
package dev.demitasse.infer;

import org.jspecify.annotations.NullMarked;
