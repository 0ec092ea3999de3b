package dev.demitasse.distill.network;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;

/** The PyTorch engine, loaded from its own jar and never from the network. */
public final class PyTorch {
    private PyTorch() {}

    /** Loads the engine at the first call: 0.5 s, 2.5 s where its library has to be unpacked. */
    public static Engine engine() {
        setUnlessSet("ai.djl.offline", "true");
        setUnlessSet(
                "ai.djl.pytorch.num_threads",
                Integer.toString(Runtime.getRuntime().availableProcessors()));
        return Engine.getEngine("PyTorch");
    }

    /** A new owner of arrays; closing it frees all of them. */
    public static NDManager newManager() {
        return engine().newBaseManager();
    }

    /**
     * Arithmetic on this thread leaves no trace for automatic differentiation until the result is closed. Needed around
     * everything that is not trained: every thread but the engine's first starts with tracing on.
     */
    public static Untraced untraced() {
        engine();
        return new Untraced(JniUtils.isGradMode());
    }

    private static void setUnlessSet(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    /** Restores what was before on closing. */
    public static final class Untraced implements AutoCloseable {
        private final boolean before;

        private Untraced(boolean before) {
            this.before = before;
            JniUtils.setGradMode(false);
        }

        @Override
        public void close() {
            JniUtils.setGradMode(before);
        }
    }
}
