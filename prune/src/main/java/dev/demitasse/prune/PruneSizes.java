package dev.demitasse.prune;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Block;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.QueryKeyNorm.Scope;
import java.util.OptionalInt;

/**
 * The sizes a pruned model will have.
 *
 * <p>A kept fraction of the neurons or of the hidden width is rounded to the nearest multiple of
 * {@link PruneOptions#multipleOf}, to one multiple at least. Without that option the multiple is 256, so that every
 * block format fits, where the source is a multiple of 256 too and the result is still smaller than it; otherwise 32,
 * which Q8_0 and Q4_0 need. A fraction of the layers or key/value heads is rounded to the nearest whole number, to 1 at
 * least. A count is taken as it is. The width of a head never changes.
 */
public final class PruneSizes {
    /** Elements of a super-block of the K formats. */
    private static final int SUPER_BLOCK = 256;
    /** Elements of a block of Q8_0 and Q4_0. */
    private static final int BLOCK = 32;

    private PruneSizes() {}

    /**
     * The configuration of {@code source} pruned by {@code options}, its tensors in the source's form.
     *
     * @throws InvalidRequestException if nothing would be cut, or more kept than there is
     */
    public static ModelConfig apply(ModelConfig source, PruneOptions options) {
        Attention attention = source.attention();
        int neurons = width("ffn", source.feedForward().intermediateSize(), options.feedForward(), options);
        int hidden = width("hidden", source.hiddenSize(), options.hidden(), options);
        int groups = count("heads", attention.keyValueHeads(), options.heads());
        int layers = count("layers", source.layers(), options.layers());
        requireCuttable(source, neurons, groups, hidden);
        ModelConfig pruned = source.withEachBlock(block -> resized(block, neurons, groups))
                .withHiddenSize(hidden)
                .withLayers(layers);
        if (pruned.equals(source)) {
            throw new InvalidRequestException(
                    "prune", "nothing would be cut", "keep less of ffn, heads, layers or hidden");
        }
        return pruned;
    }

    /** A layer of the source with fewer neurons and key/value heads. */
    static Block resized(Block block, int neurons, int groups) {
        Attention attention = block.attention();
        return block.withFeedForward(block.feedForward().withIntermediateSize(neurons))
                .withAttention(attention.withHeads(groups * attention.groupSize(), groups));
    }

    /** Refuses what would not be the same model with parts cut out of it. */
    private static void requireCuttable(ModelConfig source, int neurons, int groups, int hidden) {
        Attention attention = source.attention();
        boolean cutsNeurons = neurons != source.feedForward().intermediateSize();
        boolean cutsHeads = groups != attention.keyValueHeads();
        if ((cutsNeurons || cutsHeads) && !source.uniform()) {
            throw refused("ffn or heads", "its layers differ in their sizes", "prune layers or hidden");
        }
        if (cutsNeurons && source.feedForward().experts().isPresent()) {
            throw refused("ffn", "its neurons are those of experts", "prune heads or layers");
        }
        if (cutsHeads && source.positions() instanceof Positions.Alibi) {
            throw refused("heads", "the slopes of its ALiBi go by the number of heads", "prune ffn or layers");
        }
        boolean normsAllHeads = attention.queryKeyNorm().stream().anyMatch(norm -> norm.scope() == Scope.ALL_HEADS);
        if (cutsHeads && normsAllHeads) {
            throw refused("heads", "it normalizes all heads together", "prune ffn or layers");
        }
        if (hidden != source.hiddenSize()) {
            requireCuttableStream(source);
        }
    }

    private static void requireCuttableStream(ModelConfig source) {
        boolean normsBefore = switch (source.residual()) {
            case PRE_NORM, PARALLEL, PARALLEL_TWO_NORMS -> true;
            case POST_NORM, OUTPUT_NORM, SANDWICH_NORM -> false;
        };
        if (!normsBefore || !source.norm().weight()) {
            throw refused("hidden", "no weights of norms before its blocks can make up for it", "prune ffn or heads");
        }
        if (source.embedding().scale() != 1 || source.embedding().width() != source.hiddenSize()) {
            throw refused("hidden", "its embedding is scaled or projected by its width", "prune ffn or heads");
        }
    }

    private static InvalidRequestException refused(String what, String why, String advice) {
        return new InvalidRequestException("prune." + what, "cannot be cut in this model: " + why, advice);
    }

    private static int width(String what, int size, Keep keep, PruneOptions options) {
        return switch (keep) {
            case Keep.All all -> size;
            case Keep.Count count -> checked(what, size, count);
            case Keep.Fraction fraction -> fraction.fraction() == 1 ? size : rounded(what, size, fraction, options);
        };
    }

    private static int rounded(String what, int size, Keep.Fraction fraction, PruneOptions options) {
        OptionalInt given = options.multipleOf();
        int multiple = given.orElse(BLOCK);
        if (given.isEmpty() && size % SUPER_BLOCK == 0 && nearest(size, fraction, SUPER_BLOCK) < size) {
            multiple = SUPER_BLOCK;
        }
        int kept = nearest(size, fraction, multiple);
        if (kept >= size) {
            throw new InvalidRequestException(
                    "prune." + what,
                    "%s of %d, rounded to a multiple of %d, is %d: nothing would be cut"
                            .formatted(fraction.fraction(), size, multiple, kept),
                    "keep less, name a size, or set multiple_of to a smaller number");
        }
        return kept;
    }

    private static int nearest(int size, Keep.Fraction fraction, int multiple) {
        long multiples = Math.max(1, Math.round(fraction.fraction() * size / multiple));
        return Math.toIntExact(multiples * multiple);
    }

    private static int count(String what, int size, Keep keep) {
        return switch (keep) {
            case Keep.All all -> size;
            case Keep.Count count -> checked(what, size, count);
            case Keep.Fraction fraction -> {
                int kept = Math.max(1, Math.toIntExact(Math.round(fraction.fraction() * size)));
                if (kept == size && fraction.fraction() < 1) {
                    throw new InvalidRequestException(
                            "prune." + what,
                            "%s of %d, rounded, is %d: nothing would be cut".formatted(fraction.fraction(), size, kept),
                            "keep less, or name a count");
                }
                yield kept;
            }
        };
    }

    private static int checked(String what, int size, Keep.Count count) {
        if (count.count() > size) {
            throw new InvalidRequestException(
                    "prune." + what,
                    "must keep at most the %d there are, is %d".formatted(size, count.count()),
                    "pruning only makes models smaller");
        }
        return count.count();
    }
}
