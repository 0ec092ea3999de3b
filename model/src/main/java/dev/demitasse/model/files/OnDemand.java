package dev.demitasse.model.files;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A value that is made when it is first asked for, once. */
public final class OnDemand<T> {
    private final Supplier<T> source;
    private @Nullable T value;

    public OnDemand(Supplier<T> source) {
        this.source = source;
    }

    public synchronized T get() {
        T made = value;
        if (made == null) {
            made = source.get();
            value = made;
        }
        return made;
    }
}
