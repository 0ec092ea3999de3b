package dev.demitasse.datasets;

/**
 * The order in which training visits windows: all of them once an epoch, each epoch shuffled anew, without end. Any
 * position can be asked for directly, so a training that resumes at a position sees exactly what it would have seen.
 *
 * <p>Each epoch's permutation is a Feistel network on the smallest range of 2²ᵏ numbers that holds all windows (Luby and
 * Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM J. Comput. 17(2), 1988), applied
 * again while it lands outside the windows (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002,
 * §3, cycle walking); it needs no memory. The round function is the 64-bit finalizer of SplitMix64.
 */
public final class WindowOrder {
    private static final int ROUNDS = 8;

    private final int count;
    private final long seed;
    private final int halfBits;

    /** @param count how many windows there are */
    public WindowOrder(int count, long seed) {
        if (count < 1) {
            throw new IllegalArgumentException("count is " + count);
        }
        this.count = count;
        this.seed = seed;
        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(count - 1);
        this.halfBits = Math.max(1, (bits + 1) / 2);
    }

    /** The window visited at {@code position}; positions count on from epoch to epoch. */
    public int at(long position) {
        if (position < 0) {
            throw new IllegalArgumentException("position is " + position);
        }
        long epochKey = mix(seed ^ mix(position / count));
        long place = position % count;
        do {
            place = permute(place, epochKey);
        } while (place >= count);
        return (int) place;
    }

    private long permute(long number, long key) {
        long mask = (1L << halfBits) - 1;
        long left = number >>> halfBits;
        long right = number & mask;
        for (int round = 0; round < ROUNDS; round++) {
            long mixed = left ^ (mix(key + round * 0x9E3779B97F4A7C15L ^ mix(right)) & mask);
            left = right;
            right = mixed;
        }
        return left << halfBits | right;
    }

    /** SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014, figure 17, with Stafford's variant 13). */
    private static long mix(long value) {
        long mixed = value + 0x9E3779B97F4A7C15L;
        mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
        return mixed ^ mixed >>> 31;
    }
}
