package dev.demitasse.model.reference;

import com.sun.management.ThreadMXBean;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.Tensor;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.TreeMap;

/**
 * Damages a file at random, reproducibly, and demands of its reader that it either copes or says what is wrong, within
 * bounded memory.
 */
public final class Mutants {
    /** How many of each format. */
    public static final int COUNT = 20_000;

    /** Heap that reading one mutant may take, beyond some of its size: what a file claims must not be believed. */
    private static final long MAXIMUM_BYTES = 16 << 20;

    private static final byte[] TELLING = "09-.:,{}[]\"\\eE".getBytes(StandardCharsets.US_ASCII);

    private Mutants() {}

    /** What reads a damaged file. */
    @FunctionalInterface
    public interface Reader {
        void read(byte[] content) throws Exception;
    }

    /**
     * Hands {@link #COUNT} damaged copies of {@code original} to {@code reader}; any error but a DemitasseException fails
     * the test, its mutant's number in the message. Prints what became of them.
     *
     * @param format what {@code original} is, for the log; it also seeds the damage
     * @param header where most of the damage is done: the bytes before this index
     * @return how many were refused
     */
    public static int feed(String format, byte[] original, int header, Reader reader) {
        return feed(format, original, header, COUNT, reader);
    }

    /** As {@link #feed(String, byte[], int, Reader)}, but {@code count} copies. */
    public static int feed(String format, byte[] original, int header, int count, Reader reader) {
        ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int refused = 0;
        long most = 0;
        long slowest = 0;
        TreeMap<Integer, Throwable> failures = new TreeMap<>();
        for (int number = 0; number < count; number++) {
            byte[] mutant = mutate(original, header, new Random(format.hashCode() * 1_000_003L + number));
            long before = memory.getCurrentThreadAllocatedBytes();
            long start = System.nanoTime();
            try {
                reader.read(mutant);
            } catch (DemitasseException e) {
                refused++;
            } catch (Throwable e) {
                failures.put(number, e);
            }
            slowest = Math.max(slowest, System.nanoTime() - start);
            long taken = memory.getCurrentThreadAllocatedBytes() - before;
            most = Math.max(most, taken);
            if (taken > MAXIMUM_BYTES + 40L * mutant.length) {
                failures.put(number, new AssertionError("took %,d bytes of heap".formatted(taken)));
            }
        }
        System.out.printf(
                "%s: %,d mutants, %,d refused, %,d read; the slowest took %d ms, the largest %,d kB of heap%n",
                format, count, refused, count - refused - failures.size(), slowest / 1_000_000, most >> 10);
        if (!failures.isEmpty()) {
            throw new AssertionError(
                    "%d mutants of %s were not refused properly, %s"
                            .formatted(
                                    failures.size(),
                                    format,
                                    failures.keySet().stream().limit(20).toList()),
                    failures.firstEntry().getValue());
        }
        return refused;
    }

    /** Reads the first and the last row of every tensor. */
    public static void touch(Checkpoint checkpoint) {
        checkpoint.config().tensors().forEach(key -> touch(checkpoint.tensor(key)));
    }

    /** Reads the first and the last row. */
    public static void touch(Tensor tensor) {
        if (tensor.rows() > 0) {
            float[] row = new float[tensor.columns()];
            tensor.readRow(0, row, 0);
            tensor.readRow(tensor.rows() - 1, row, 0);
        }
    }

    private static byte[] mutate(byte[] original, int header, Random random) {
        byte[] copy = original.clone();
        int changes = random.nextInt(3) < 2 ? 1 : 2 + random.nextInt(3);
        for (int i = 0; i < changes && copy.length > 0; i++) {
            int bound = random.nextInt(10) == 0 ? copy.length : Math.min(header, copy.length);
            int at = random.nextInt(bound);
            int length = Math.min(1 + random.nextInt(16), copy.length - at);
            // What shifts the rest of a binary file is noticed at once, so rarer.
            switch (random.nextInt(5) > 0 ? random.nextInt(5) : 5 + random.nextInt(3)) {
                case 0 -> copy[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> copy[at] = (byte) random.nextInt(256);
                case 2 -> copy[at] = TELLING[random.nextInt(TELLING.length)];
                case 3 -> Arrays.fill(copy, at, Math.min(copy.length, at + 8), (byte) (random.nextBoolean() ? 0 : -1));
                case 4 -> {
                    int from = random.nextInt(Math.min(header, copy.length));
                    System.arraycopy(copy, from, copy, at, Math.min(length, copy.length - from));
                }
                case 5 -> copy = splice(copy, at, length, new byte[0]);
                case 6 -> copy = splice(copy, at, 0, Arrays.copyOfRange(copy, at, at + length));
                case 7 -> {
                    byte[] noise = new byte[1 + random.nextInt(4)];
                    random.nextBytes(noise);
                    copy = splice(copy, at, 0, noise);
                }
                default -> throw new AssertionError();
            }
        }
        return random.nextInt(20) == 0 ? Arrays.copyOf(copy, random.nextInt(copy.length + 100)) : copy;
    }

    /** {@code bytes} with {@code removed} of them from {@code at} replaced. */
    private static byte[] splice(byte[] bytes, int at, int removed, byte[] replacement) {
        byte[] result = new byte[bytes.length - removed + replacement.length];
        System.arraycopy(bytes, 0, result, 0, at);
        System.arraycopy(replacement, 0, result, at, replacement.length);
        int rest = at + removed;
        System.arraycopy(bytes, rest, result, at + replacement.length, bytes.length - rest);
        return result;
    }
}
