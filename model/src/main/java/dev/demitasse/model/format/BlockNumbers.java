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
        Levels levels = scheme.levels();
        for (int sub = 0; sub < scheme.subBlocks(); sub++) {
            float step = step(sub);
            float base = base(sub);
            int zero = scheme.offset() instanceof BlockScheme.Offset.Zero ? minimumCodes[sub] : 0;
            // What has no base gets none added: 0 added to −0 would be 0.
            boolean shifted = scheme.hasOffset() && !(scheme.offset() instanceof BlockScheme.Offset.Zero);
            for (int i = sub * size; i < (sub + 1) * size; i++) {
                float scaled = step * (levels.of(code(i)) - zero);
                target[at + i] = shifted ? scaled + base : scaled;
            }
        }
    }

    /** The code of element {@code i}; of a table an index, which is never negative. */
    private int code(int i) {
        return scheme.levels() instanceof Levels.Table ? codes[i] & 0xff : codes[i];
    }
}
