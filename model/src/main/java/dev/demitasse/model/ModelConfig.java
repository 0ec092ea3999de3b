package dev.demitasse.model;

import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * Everything that the CPU runtime, the trainer and the ONNX writer need to know of a model. Made by {@link #of}.
 *
 * @param family which family's names and config.json it has; see {@link Families}
 * @param vocabularySize rows of the embedding
 * @param hiddenSize width of the residual stream
 * @param embedding how tokens become the residual stream
 * @param blocks what each layer is made of
 * @param residual how the parts of a layer stand around the residual stream
 * @param residualScale multiplies what attention and feed-forward block add to it
 * @param norm kind and epsilon of every norm but those of queries and keys
 * @param head how the residual stream becomes logits
 * @param causal whether a token sees only those before it; if not, all
 * @param maximumPositions longest context the model was made for
 * @param specialTokens ids of bos, eos, pad
 */
public record ModelConfig(
        Family family,
        int vocabularySize,
        int hiddenSize,
        InputEmbedding embedding,
        List<Block> blocks,
        Residual residual,
        double residualScale,
        Norm norm,
        Head head,
        boolean causal,
        int maximumPositions,
        SpecialTokens specialTokens) {
    /** Far above any model, and low enough that a wrong number does not exhaust the memory. */
    static final int MAXIMUM_LAYERS = 16_384;

    public ModelConfig {
        blocks = List.copyOf(blocks);
        if (vocabularySize < 1 || hiddenSize < 1 || maximumPositions < 1 || blocks.isEmpty()) {
            throw new IllegalArgumentException("vocab_size %d, hidden_size %d, layers %d, positions %d"
                    .formatted(vocabularySize, hiddenSize, blocks.size(), maximumPositions));
        }
        if (!(residualScale > 0) || Double.isInfinite(residualScale)) {
            throw new IllegalArgumentException("residual scale " + residualScale);
        }
    }

    /** A model of {@code layers} equal layers; what is not said is as in Llama. */
    public static ModelConfigBuilder of(Family family) {
        return new ModelConfigBuilder(family);
    }

    /** Number of layers. */
    public int layers() {
        return blocks.size();
    }

    /** Whether all layers are of the same shape, but for windows, scales and positions of attention. */
    public boolean uniform() {
        Block first = blocks.getFirst();
        return blocks.stream()
                .allMatch(
                        block -> block.attention().heads() == first.attention().heads()
                                && block.attention().keyValueHeads()
                                        == first.attention().keyValueHeads()
                                && block.attention().headDimension()
                                        == first.attention().headDimension()
                                && block.feedForward().equals(first.feedForward()));
    }

    /** The first layer's attention; every other's too where the model is {@link #uniform}, but for window and scale. */
    public Attention attention() {
        return blocks.getFirst().attention();
    }

    public Attention attention(int layer) {
        return blocks.get(layer).attention();
    }

    /** The first layer's feed-forward block; every other's too where the model is {@link #uniform}. */
    public FeedForward feedForward() {
        return blocks.getFirst().feedForward();
    }

    public FeedForward feedForward(int layer) {
        return blocks.get(layer).feedForward();
    }

    /** How positions enter the first layer. */
    public Positions positions() {
        return blocks.getFirst().positions();
    }

    public Positions positions(int layer) {
        return blocks.get(layer).positions();
    }

    /**
     * Whether the keys of a sequence's first {@code length} tokens turn otherwise once it has {@code longer}, so that
     * cached ones must be computed anew: past LongRoPE's switch, as transformers do. Dynamic scaling, which changes with
     * every token, leaves cached keys as they are there and here.
     */
    public boolean turnsKeysAnew(int length, int longer) {
        return length > 0
                && blocks.stream()
                        .anyMatch(block -> block.positions() instanceof Positions.Rotary rotary
                                && rotary.scaling() instanceof RopeScaling.LongRope rope
                                && rope.lengthClass(length) != rope.lengthClass(longer));
    }

    /** Whether the embedding is also the output projection. */
    public boolean tiedHead() {
        return head.tied();
    }

    public ModelConfig withVocabularySize(int size) {
        return copy(builder -> builder.vocabularySize(size));
    }

    /** Another width of the residual stream, and of the embedding where that was as wide. */
    public ModelConfig withHiddenSize(int size) {
        int width = embedding.width() == hiddenSize ? size : embedding.width();
        return copy(builder -> builder.hiddenSize(size).embedding(embedding.withWidth(width)));
    }

    /** With the first {@code count} layers; past those there are, the last one is repeated. */
    public ModelConfig withLayers(int count) {
        List<Block> some = new ArrayList<>();
        for (int layer = 0; layer < count; layer++) {
            some.add(blocks.get(Math.min(layer, blocks.size() - 1)));
        }
        return withBlocks(some);
    }

    public ModelConfig withBlocks(List<Block> other) {
        return copy(builder -> builder.blocks(other));
    }

    /** Every layer changed; equal layers share what they become. */
    public ModelConfig withEachBlock(UnaryOperator<Block> change) {
        Map<Block, Block> changed = new HashMap<>();
        return withBlocks(blocks.stream()
                .map(block -> changed.computeIfAbsent(block, change))
                .toList());
    }

    public ModelConfig withAttention(Attention other) {
        return withEachBlock(block -> block.withAttention(other));
    }

    public ModelConfig withFeedForward(FeedForward other) {
        return withEachBlock(block -> block.withFeedForward(other));
    }

    public ModelConfig withPositions(Positions other) {
        return withEachBlock(block -> block.withPositions(other));
    }

    public ModelConfig withMaximumPositions(int count) {
        return copy(builder -> builder.maximumPositions(count));
    }

    /** Another norm in place of all but those of queries and keys. */
    public ModelConfig withNorm(Norm other) {
        return copy(builder -> builder.norm(other));
    }

    public ModelConfig withResidual(Residual other) {
        return copy(builder -> builder.residual(other));
    }

    public ModelConfig withEmbedding(InputEmbedding other) {
        return copy(builder -> builder.embedding(other));
    }

    public ModelConfig withHead(Head other) {
        return copy(builder -> builder.head(other));
    }

    public ModelConfig withTiedHead(boolean tied) {
        return withHead(head.withTied(tied));
    }

    public ModelConfig withSpecialTokens(SpecialTokens other) {
        return copy(builder -> builder.specialTokens(other));
    }

    private ModelConfig copy(Consumer<ModelConfigBuilder> change) {
        ModelConfigBuilder builder = new ModelConfigBuilder(this);
        change.accept(builder);
        return builder.build();
    }

    /** The same model with its tensors as a Hugging Face checkpoint of the family holds them. */
    public ModelConfig huggingFaceForm() {
        return inForm(family.pairing(), family.unitOffset());
    }

    /** The same model with its tensors as a GGUF file of the family holds them. */
    public ModelConfig ggufForm() {
        return family.ggufForm(this);
    }

    /** The same model, its tensors stored otherwise: {@link TensorForm#convert} turns them into each other. */
    public ModelConfig inForm(Pairing pairing, boolean unitOffset) {
        return copy(builder -> builder.norm(norm.withUnitOffset(unitOffset)))
                .withEachBlock(block -> new Block(
                        block.attention()
                                .withQueryKeyNorm(block.attention()
                                        .queryKeyNorm()
                                        .map(each -> new QueryKeyNorm(
                                                each.norm().withUnitOffset(unitOffset), each.scope()))),
                        block.feedForward(),
                        block.positions().paired(pairing)));
    }

    /** What {@code key}'s tensor is called in reports, ONNX files and wherever it stands alone; no two share a name. */
    public String name(TensorKey key) {
        return names().name(key);
    }

    /** What files call the tensors. */
    public TensorNames names() {
        return family.names(this);
    }

    /** One of the first layer's projections, to stand for all where one is asked: the last of its feed-forward block. */
    public TensorKey exampleProjection() {
        return feedForward().experts().isPresent()
                ? TensorKey.expert(Role.EXPERT_DOWN, 0, 0)
                : TensorKey.weight(Role.DOWN, 0);
    }

    /** The norm that {@code key}, one of a norm's tensors, belongs to. */
    public Norm norm(TensorKey key) {
        return switch (key.role()) {
            case QUERY_NORM, KEY_NORM ->
                attention(key.layer()).queryKeyNorm().orElseThrow().norm();
            default -> norm;
        };
    }

    /** The tensor that holds {@code key}'s numbers: the embedding's where the head is tied to it, else itself. */
    public TensorKey stored(TensorKey key) {
        return key.role() == Role.HEAD && key.part() != Part.BIAS && head.tied()
                ? new TensorKey(Role.EMBEDDING, key.part(), key.layer())
                : key;
    }

    /**
     * The weight that stands for all that read what {@code key}'s reads: the query's for key and value, the gate's for up, those
     * of expert 0 for all experts'.
     */
    public TensorKey input(TensorKey key) {
        Role role = switch (key.role()) {
            case KEY, VALUE -> Role.QUERY;
            case UP -> feedForward(key.layer()).gated() ? Role.GATE : Role.UP;
            case EXPERT_UP -> Role.EXPERT_GATE;
            case SHARED_UP -> Role.SHARED_GATE;
            default -> key.role();
        };
        return new TensorKey(role, key.part(), key.layer(), role.perExpert() ? 0 : TensorKey.NO_EXPERT);
    }

    /** Whether the model has the tensor: a weight of its own, or a bias. */
    public boolean has(TensorKey key) {
        if (!hasModule(key)) {
            return false;
        }
        return switch (key.part()) {
            case WEIGHT -> key.role().norm() ? norm(key).weight() : key.role() != Role.HEAD || !head.tied();
            case BIAS -> hasBias(key);
            case SCALE, INPUT_SCALE, INPUT_ZERO_POINT, OUTLIERS, OUTLIER_COLUMNS -> false;
        };
    }

    /** Whether there is a module of the key's role, in its layer. */
    private boolean hasModule(TensorKey key) {
        Role role = key.role();
        return switch (role) {
            case EMBEDDING, HEAD -> true;
            case POSITION_EMBEDDING -> embedding.positions() > 0;
            case TOKEN_TYPE_EMBEDDING -> embedding.tokenTypes() > 0;
            case EMBEDDING_NORM -> embedding.norm();
            case PROJECT_IN, PROJECT_OUT -> embedding.width() != hiddenSize;
            case FINAL_NORM -> head.norm();
            case HEAD_TRANSFORM, HEAD_NORM -> head.transform().isPresent();
            case QUERY, KEY, VALUE, ATTENTION_OUTPUT -> inside(key);
            case QUERY_NORM, KEY_NORM ->
                inside(key) && attention(key.layer()).queryKeyNorm().isPresent();
            case ATTENTION_NORM, ATTENTION_POST_NORM, FEED_FORWARD_NORM, FEED_FORWARD_POST_NORM ->
                inside(key) && residual.has(role);
            case GATE ->
                inside(key)
                        && feedForward(key.layer()).gated()
                        && feedForward(key.layer()).experts().isEmpty();
            case UP, DOWN -> inside(key) && feedForward(key.layer()).experts().isEmpty();
            case ROUTER -> inside(key) && feedForward(key.layer()).experts().isPresent();
            case EXPERT_GATE, EXPERT_UP, EXPERT_DOWN ->
                inside(key)
                        && feedForward(key.layer()).experts().stream()
                                .anyMatch(experts -> key.expert() < experts.count());
            case SHARED_ROUTER, SHARED_GATE, SHARED_UP, SHARED_DOWN ->
                inside(key)
                        && feedForward(key.layer()).experts().stream().anyMatch(experts -> experts.sharedSize() > 0);
        };
    }

    private boolean inside(TensorKey key) {
        return key.layer() < layers();
    }

    /** Whether the module of {@code key} adds a bias. */
    public boolean hasBias(TensorKey key) {
        return switch (key.role()) {
            case QUERY, KEY, VALUE, ATTENTION_OUTPUT ->
                attention(key.layer()).biases().contains(key.role());
            case GATE, UP, DOWN -> feedForward(key.layer()).bias();
            case HEAD -> head.bias();
            case HEAD_TRANSFORM -> true;
            case EMBEDDING_NORM,
                    ATTENTION_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_NORM,
                    FEED_FORWARD_POST_NORM,
                    QUERY_NORM,
                    KEY_NORM,
                    FINAL_NORM,
                    HEAD_NORM -> norm(key).bias();
            case EMBEDDING,
                    POSITION_EMBEDDING,
                    TOKEN_TYPE_EMBEDDING,
                    PROJECT_IN,
                    PROJECT_OUT,
                    ROUTER,
                    EXPERT_GATE,
                    EXPERT_UP,
                    EXPERT_DOWN,
                    SHARED_ROUTER,
                    SHARED_GATE,
                    SHARED_UP,
                    SHARED_DOWN -> false;
        };
    }

    /** Every weight and bias the model consists of, in the order a forward pass meets them. */
    public List<TensorKey> tensors() {
        List<TensorKey> keys = new ArrayList<>();
        for (Role role : Role.values()) {
            if (role.beforeLayers()) {
                addParts(new TensorKey(role, Part.WEIGHT, TensorKey.NO_LAYER), keys);
            }
        }
        for (int layer = 0; layer < layers(); layer++) {
            keys.addAll(layerTensors(layer));
        }
        for (Role role : Role.values()) {
            if (!role.perLayer() && !role.beforeLayers()) {
                addParts(new TensorKey(role, Part.WEIGHT, TensorKey.NO_LAYER), keys);
            }
        }
        return keys;
    }

    /** The weights and biases of one layer. */
    public List<TensorKey> layerTensors(int layer) {
        List<TensorKey> keys = new ArrayList<>();
        for (Role role : Role.values()) {
            if (role.perExpert()) {
                int experts = feedForward(layer).experts().map(Experts::count).orElse(0);
                for (int expert = 0; expert < experts; expert++) {
                    addParts(TensorKey.expert(role, layer, expert), keys);
                }
            } else if (role.perLayer()) {
                addParts(TensorKey.weight(role, layer), keys);
            }
        }
        return keys;
    }

    private void addParts(TensorKey weight, List<TensorKey> keys) {
        if (!hasModule(weight)) {
            return;
        }
        if (has(weight)) {
            keys.add(weight);
        }
        if (hasBias(weight)) {
            keys.add(weight.part(Part.BIAS));
        }
    }

    /** Number of outputs of the module of {@code key}: rows of its weight. */
    public int rows(TensorKey key) {
        return switch (key.role()) {
            case EMBEDDING, HEAD -> vocabularySize;
            case POSITION_EMBEDDING -> embedding.positions();
            case TOKEN_TYPE_EMBEDDING -> embedding.tokenTypes();
            case PROJECT_OUT -> embedding.width();
            case PROJECT_IN,
                    EMBEDDING_NORM,
                    ATTENTION_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_NORM,
                    FEED_FORWARD_POST_NORM,
                    FINAL_NORM,
                    HEAD_TRANSFORM,
                    HEAD_NORM,
                    ATTENTION_OUTPUT,
                    DOWN,
                    EXPERT_DOWN,
                    SHARED_DOWN -> hiddenSize;
            case QUERY -> attention(key.layer()).queryWidth();
            case KEY, VALUE -> attention(key.layer()).keyValueWidth();
            case QUERY_NORM -> queryKeyNormWidth(key, attention(key.layer()).queryWidth());
            case KEY_NORM -> queryKeyNormWidth(key, attention(key.layer()).keyValueWidth());
            case GATE, UP, EXPERT_GATE, EXPERT_UP -> feedForward(key.layer()).intermediateSize();
            case ROUTER -> experts(key).count();
            case SHARED_ROUTER -> 1;
            case SHARED_GATE, SHARED_UP -> experts(key).sharedSize();
        };
    }

    /** Numbers of a query's or key's norm; of {@link QueryKeyNorm.Scope#EACH_HEAD} those of all heads. */
    private int queryKeyNormWidth(TensorKey key, int all) {
        Attention attention = attention(key.layer());
        return switch (attention.queryKeyNorm().orElseThrow().scope()) {
            case HEAD -> attention.headDimension();
            case EACH_HEAD, ALL_HEADS -> all;
        };
    }

    private Experts experts(TensorKey key) {
        return feedForward(key.layer()).experts().orElseThrow();
    }

    /** Number of inputs of the matrix of {@code key}: columns of its weight. */
    public int columns(TensorKey key) {
        return switch (key.role()) {
            case EMBEDDING, PROJECT_IN, HEAD -> embedding.width();
            case POSITION_EMBEDDING,
                    TOKEN_TYPE_EMBEDDING,
                    PROJECT_OUT,
                    HEAD_TRANSFORM,
                    QUERY,
                    KEY,
                    VALUE,
                    GATE,
                    UP,
                    ROUTER,
                    EXPERT_GATE,
                    EXPERT_UP,
                    SHARED_ROUTER,
                    SHARED_GATE,
                    SHARED_UP -> hiddenSize;
            case ATTENTION_OUTPUT -> attention(key.layer()).queryWidth();
            case DOWN, EXPERT_DOWN -> feedForward(key.layer()).intermediateSize();
            case SHARED_DOWN -> experts(key).sharedSize();
            case EMBEDDING_NORM,
                    ATTENTION_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_NORM,
                    FEED_FORWARD_POST_NORM,
                    QUERY_NORM,
                    KEY_NORM,
                    FINAL_NORM,
                    HEAD_NORM -> throw new IllegalArgumentException(key.role() + " is a vector");
        };
    }

    /**
     * The shape {@code key}'s tensor must have: {@code [out, in]} of a matrix, {@code [out]} of a vector,
     * {@code [heads, D]} of a norm with weights for each head, none of a single number.
     */
    public long[] shape(TensorKey key) {
        if (key.part() == Part.INPUT_SCALE || key.part() == Part.INPUT_ZERO_POINT) {
            return new long[0];
        }
        if (key.role().matrix()) {
            return key.part() == Part.WEIGHT ? new long[] {rows(key), columns(key)} : new long[] {rows(key)};
        }
        if (key.role() == Role.QUERY_NORM || key.role() == Role.KEY_NORM) {
            Attention attention = attention(key.layer());
            if (attention.queryKeyNorm().orElseThrow().scope() == QueryKeyNorm.Scope.EACH_HEAD) {
                int width = attention.headDimension();
                return new long[] {rows(key) / width, width};
            }
        }
        return new long[] {rows(key)};
    }

    /** How many numbers the model consists of; a tied head counts once. */
    public long parameters() {
        return tensors().stream().map(this::shape).mapToLong(Tensor::elements).reduce(0, Math::addExact);
    }
}
