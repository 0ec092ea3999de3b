/** PyTorch checkpoints ({@code pytorch_model.bin}), read without running what is in them. */
@NullMarked
package dev.demitasse.model.pytorch;

import org.jspecify.annotations.NullMarked;
