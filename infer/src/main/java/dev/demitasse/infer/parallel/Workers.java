package dev.demitasse.infer.parallel;

import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Runs the numbered parts of a computation, several at a time. Parts must be independent of each other and of the order
 * they run in, so that results do not depend on how many threads there are.
 */
public interface Workers {
    /** Multiply-adds below which handing a part to another thread costs more than it saves. */
    long WORTHWHILE = 1L << 17;

    /** The calling thread alone. */
    Workers CALLER = (parts, body) -> {
        for (int part = 0; part < parts; part++) {
            body.accept(part);
        }
    };

    /** The JVM's common fork-join pool: for a computation that owns no pool. */
    Workers COMMON = (parts, body) -> IntStream.range(0, parts).parallel().forEach(body);

    /** Calls {@code body} once with each of 0 … {@code parts} − 1 and returns when all are done. */
    void run(int parts, IntConsumer body);

    /** These workers, or the calling thread alone for fewer than {@link #WORTHWHILE} multiply-adds. */
    default Workers worth(long multiplyAdds) {
        return multiplyAdds < WORTHWHILE ? CALLER : this;
    }
}
