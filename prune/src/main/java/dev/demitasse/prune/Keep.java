package dev.demitasse.prune;

/** How much of one dimension of a model stays. */
public sealed interface Keep {
    /** Everything: the dimension is left alone. */
    record All() implements Keep {}

    /**
     * A part of it, rounded as {@link PruneSizes} says.
     *
     * @param fraction above 0, up to 1
     */
    record Fraction(double fraction) implements Keep {
        public Fraction {
            if (!(fraction > 0 && fraction <= 1)) {
                throw new IllegalArgumentException("kept fraction " + fraction);
            }
        }
    }

    /**
     * Exactly so many: taken as they are, never rounded.
     *
     * @param count from 1
     */
    record Count(int count) implements Keep {
        public Count {
            if (count < 1) {
                throw new IllegalArgumentException("kept count " + count);
            }
        }
    }

    static Keep all() {
        return new All();
    }

    static Keep fraction(double fraction) {
        return new Fraction(fraction);
    }

    static Keep count(int count) {
        return new Count(count);
    }
}
