/** Safetensors files and Hugging Face checkpoint folders. */
@NullMarked
package dev.demitasse.model.safetensors;

import org.jspecify.annotations.NullMarked;
