package dev.demitasse.model.reference;

import dev.demitasse.model.DemitasseException;
import java.util.Arrays;
import java.util.Random;
import java.util.TreeMap;

/** Damages a file at random, reproducibly, and demands of its reader that it either copes or says what is wrong. */
public final class Mutants {
    private Mutants() {}

    /** What reads a damaged file. */
    @FunctionalInterface
    public interface Reader {
        void read(byte[] content) throws Exception;
    }

    /**
     * Hands {@code count} damaged copies of {@code original} to {@code reader}; any error but a DemitasseException fails
     * the test, its mutant's number in the message.
     *
     * @param header where most of the damage is done: the bytes before this index
     * @return how many were refused
     */
    public static int feed(byte[] original, int header, int count, long seed, Reader reader) {
        int refused = 0;
        TreeMap<Integer, Throwable> failures = new TreeMap<>();
        for (int number = 0; number < count; number++) {
            byte[] mutant = mutate(original, header, new Random(seed * 1_000_003 + number));
            try {
                reader.read(mutant);
            } catch (DemitasseException e) {
                refused++;
            } catch (Throwable e) {
                failures.put(number, e);
            }
        }
        if (!failures.isEmpty()) {
            throw new AssertionError(
                    "mutants %s were not refused properly".formatted(failures.keySet()),
                    failures.firstEntry().getValue());
        }
        return refused;
    }

    private static byte[] mutate(byte[] original, int header, Random random) {
        byte[] copy = original.clone();
        int changes = 1 + random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            int at = random.nextInt(random.nextInt(10) == 0 ? copy.length : header);
            switch (random.nextInt(5)) {
                case 0 -> copy[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> copy[at] = (byte) random.nextInt(256);
                case 2 -> copy[at] = (byte) "09-.:,{}[]\"".charAt(random.nextInt(11));
                case 3 -> Arrays.fill(copy, at, Math.min(copy.length, at + 8), (byte) (random.nextBoolean() ? 0 : -1));
                case 4 -> {
                    int from = random.nextInt(header);
                    int length = Math.min(1 + random.nextInt(16), Math.min(copy.length - from, copy.length - at));
                    System.arraycopy(original, from, copy, at, length);
                }
                default -> throw new AssertionError();
            }
        }
        return random.nextInt(20) == 0 ? Arrays.copyOf(copy, random.nextInt(copy.length + 100)) : copy;
    }
}
