package dev.demitasse.quantize;

import java.io.IOException;
import java.util.List;

/** Quantizes the decoder layers of a model, to be asked for 0, 1, 2 … in turn. */
interface LayerQuantizer extends AutoCloseable {
    QuantizedLayer quantize(int layer, LayerProgress progress);

    /**
     * All that the next layer depends on besides the model, always in the same order: with what these held after some
     * layers, another quantizer of the same job goes on after them.
     */
    List<HiddenStates> states();

    @Override
    default void close() throws IOException {
        for (HiddenStates states : states()) {
            states.close();
        }
    }
}
