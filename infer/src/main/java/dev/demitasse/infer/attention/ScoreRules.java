package dev.demitasse.infer.attention;

import dev.demitasse.model.Attention;

/** What is done to the products of queries and keys, as {@code attention} has it, and what positions add to them. */
record ScoreRules(Attention attention, PositionBias bias) {}
