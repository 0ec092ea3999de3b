/** Models from the Hugging Face hub, in a cache folder that is shared with Python's huggingface_hub. */
@NullMarked
package dev.demitasse.model.hub;

import org.jspecify.annotations.NullMarked;
