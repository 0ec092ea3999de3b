package dev.demitasse.quantize;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import java.util.List;
import java.util.Map;

/**
 * A decoder layer in its final formats.
 *
 * @param tensors every tensor of the layer that changed, scales of INT8 weights included
 * @param reports one for each matrix
 */
record QuantizedLayer(Map<TensorKey, Tensor> tensors, List<TensorReport> reports) {}
