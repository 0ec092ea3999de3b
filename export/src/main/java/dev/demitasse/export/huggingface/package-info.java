/** Checkpoint folders in the layouts of other quantizers, which transformers and vLLM load. */
@NullMarked
package dev.demitasse.export.huggingface;

import org.jspecify.annotations.NullMarked;
