package dev.demitasse.quantize;

/** Quantizes the decoder layers of a model, to be asked for 0, 1, 2 … in turn. */
interface LayerQuantizer {
    QuantizedLayer quantize(int layer);
}
