package dev.demitasse.model.format;

/**
 * The numbers of one block, taken out of their bits. To be filled and read in place, again and again; what a scheme does
 * not have is left as it is.
 */
@SuppressWarnings("PublicField") // a buffer between codecs and quantizers, not an abstraction
public final class BlockNumbers {
    private final BlockScheme scheme;

    /** What all scale codes are multiplied by. */
    public float scale;

    /** The minimum, or what all minimum codes are multiplied by. */
    public float minimum;

    /** By sub-block; 1 where the scheme has none. */
    public final byte[] scaleCodes;

    /** By sub-block: minimum codes, or the zero. */
    public final byte[] minimumCodes;

    /** By element, as {@link Levels#of} takes them. */
    public final byte[] codes;

    public BlockNumbers(BlockScheme scheme) {
        this.scheme = scheme;
        this.scaleCodes = new byte[scheme.subBlocks()];
        this.minimumCodes = new byte[scheme.subBlocks()];
        this.codes = new byte[scheme.size()];
        java.util.Arrays.fill(scaleCodes, (byte) 1);
    }

    /** What levels of sub-block {@code sub} are multiplied by. */
    public float step(int sub) {
        return scheme.scaleCodes().isPresent() ? scale * scaleCodes[sub] : scale;
    }

    /** What is added to elements of sub-block {@code sub}. */
    public float base(int sub) {
        return switch (scheme.offset()) {
            case BlockScheme.Offset.None none -> 0;
            case BlockScheme.Offset.Minimum added -> minimum;
            case BlockScheme.Offset.MinimumCodes subtracted -> -(minimum * minimumCodes[sub]);
            case BlockScheme.Offset.Zero zero -> -(scale * minimumCodes[sub]);
        };
    }

    /** Copies the elements that the numbers stand for into {@code target} from {@code at}. */
    public void decode(float[] target, int at) {
        int size = scheme.subSize();
        for (int sub = 0; sub < scheme.subBlocks(); sub++) {
            int from = sub * size;
            switch (scheme.levels()) {
                case Levels.Integers integers -> integers(from, size, target, at);
                case Levels.Table table -> table.read(codes, from, size, target, at + from);
            }
            float step = step(sub);
            if (scheme.offset() instanceof BlockScheme.Offset.Zero) {
                float zero = minimumCodes[sub];
                for (int i = at + from; i < at + from + size; i++) {
                    target[i] = step * (target[i] - zero);
                }
            } else if (scheme.hasOffset()) {
                float base = base(sub);
                for (int i = at + from; i < at + from + size; i++) {
                    target[i] = step * target[i] + base;
                }
            } else {
                for (int i = at + from; i < at + from + size; i++) {
                    target[i] *= step;
                }
            }
        }
    }

    private void integers(int from, int size, float[] target, int at) {
        for (int i = from; i < from + size; i++) {
            target[at + i] = codes[i];
        }
    }
}
