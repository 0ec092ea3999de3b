package dev.demitasse.model.format;

/** Several elements that share scales. Rows are whole blocks: a block never spans two rows. */
public sealed interface BlockFormat extends TensorFormat permits Q8_0, Q4_0 {}
