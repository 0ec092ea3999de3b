package dev.demitasse.quantize;

import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Optional;

/**
 * The statistics that quantizing the projections of one input takes.
 *
 * @param input of what they see in the quantized model
 * @param drift of what they see less in it than in the float model, with what they see
 * @param missed of what the only projection gives less than the float model has at that place, with what it sees
 */
record Moments(SecondMoment input, Optional<FloatPanels> drift, Optional<Matrix> missed) {}
