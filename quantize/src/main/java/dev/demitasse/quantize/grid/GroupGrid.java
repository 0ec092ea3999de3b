package dev.demitasse.quantize.grid;

/**
 * The grid of the published GPTQ code (github.com/IST-DASLab/gptq, quant.py): float scales, min-max range, groups of any
 * size. No file format of ours holds it; it is what the algorithm is compared on with others.
 *
 * @param bits of a code, 2 to 7
 * @param symmetric whether the range is [−max|w|, max|w|] with the zero in its middle, or [min(w, 0), max(w, 0)]
 * @param size columns of a group
 */
public record GroupGrid(int bits, boolean symmetric, int size) implements Grid {
    public GroupGrid {
        if (bits < 2 || bits > 7 || size < 1) {
            throw new IllegalArgumentException("%d bits, groups of %d".formatted(bits, size));
        }
    }

    @Override
    public int groupSize(int columns) {
        return size;
    }

    @Override
    public boolean fixedGroups() {
        return false;
    }

    @Override
    public int smallestCode() {
        return 0;
    }

    @Override
    public int largestCode() {
        return (1 << bits) - 1;
    }

    @Override
    public Step fit(double[] values, int at, double[] importance, int importanceAt, int count) {
        double smallest = 0;
        double largest = 0;
        for (int i = 0; i < count; i++) {
            smallest = Math.min(smallest, values[at + i]);
            largest = Math.max(largest, values[at + i]);
        }
        if (symmetric) {
            largest = Math.max(-smallest, largest);
            smallest = -largest;
        }
        if (smallest == largest) {
            smallest = -1;
            largest = 1;
        }
        double scale = (largest - smallest) / largestCode();
        int zero = symmetric ? 1 << (bits - 1) : (int) Math.rint(-smallest / scale);
        return new Step((float) scale, zero);
    }

    @Override
    public float stored(float scale) {
        return scale;
    }
}
