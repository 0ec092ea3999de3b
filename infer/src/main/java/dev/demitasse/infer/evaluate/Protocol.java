package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.ModelConfig;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalInt;

/** Which tokens of a window are scored, and after what. Windows do not overlap, and none sees another. */
public enum Protocol {
    /** Every token but each window's first, given all those of the window before it. */
    DEFAULT {
        @Override
        public int firstScored(int length) {
            return 1;
        }

        @Override
        public int[] prepare(int[] window, ModelConfig config) {
            return window;
        }
    },
    /**
     * As llama.cpp's llama-perplexity does without a stride: each window's first token gives way to bos if the model has
     * one, and of n tokens the last n − n/2 − 1 are scored, each with at least n/2 + 1 before it.
     */
    LLAMACPP {
        @Override
        public int firstScored(int length) {
            return length / 2 + 1;
        }

        @Override
        public int[] prepare(int[] window, ModelConfig config) {
            OptionalInt bos = config.specialTokens().bos();
            int[] prepared = window.clone();
            bos.ifPresent(id -> prepared[0] = id);
            return prepared;
        }
    };

    /** Index of the first scored token of a window of {@code length}; all after it are scored too. */
    public abstract int firstScored(int length);

    /** What the model is shown in place of {@code window}. */
    public abstract int[] prepare(int[] window, ModelConfig config);

    /** Which tokens of {@code test} a model is shown and asked about: where equal, equal models predict equally. */
    String fingerprint(TokenWindows test, ModelConfig config) {
        int[] window = test.window(0);
        String begin = Arrays.equals(window, prepare(window, config)) ? "" : " begun by " + prepare(window, config)[0];
        return "%s %s%s".formatted(test.fingerprint(), name().toLowerCase(Locale.ROOT), begin);
    }
}
