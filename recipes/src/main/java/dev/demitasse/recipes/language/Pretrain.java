package dev.demitasse.recipes.language;

/**
 * Makes a new model: trains a tokenizer on the train text, then a Llama of these sizes by cross-entropy alone.
 *
 * @param vocabularySize of the byte-level BPE tokenizer
 * @param maximumPositions longest context
 * @param tiedHead whether the embedding is the output projection too
 */
public record Pretrain(
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int keyValueHeads,
        int vocabularySize,
        int maximumPositions,
        boolean tiedHead,
        double ropeTheta,
        TrainingSettings training)
        implements Work {

    private static final Key<Integer> HIDDEN_SIZE =
            Key.of("hidden_size", Kind.integer(1), "256", "width of the residual stream");
    private static final Key<Integer> INTERMEDIATE_SIZE =
            Key.of("intermediate_size", Kind.integer(1), "768", "feed-forward neurons of a layer");
    private static final Key<Integer> LAYERS = Key.of("layers", Kind.integer(1), "4", "decoder layers");
    private static final Key<Integer> HEADS =
            Key.of("heads", Kind.integer(1), "4", "query heads; divides `hidden_size`");
    private static final Key<Integer> KEY_VALUE_HEADS =
            Key.of("kv_heads", Kind.integer(1), "2", "key/value heads; divides `heads`");
    private static final Key<Integer> VOCABULARY_SIZE =
            Key.of("vocabulary_size", Kind.integer(260), "2048", "tokens of the BPE tokenizer trained on data.train");
    private static final Key<Integer> MAXIMUM_POSITIONS =
            Key.of("max_positions", Kind.integer(2), "512", "longest context");
    private static final Key<Boolean> TIED_HEAD =
            Key.of("tied_head", Kind.FLAG, "true", "whether the embedding is the output projection too");
    private static final Key<Double> ROPE_THETA =
            Key.of("rope_theta", Kind.above(0), "10000", "base of the rotary frequencies");

    static final Section SECTION = new Section(
                    "pretrain",
                    "A new Llama, trained by cross-entropy on data.train. Starts from nothing, so it has no `from`.",
                    HIDDEN_SIZE,
                    INTERMEDIATE_SIZE,
                    LAYERS,
                    HEADS,
                    KEY_VALUE_HEADS,
                    VOCABULARY_SIZE,
                    MAXIMUM_POSITIONS,
                    TIED_HEAD,
                    ROPE_THETA)
            .plus(TrainingSettings.KEYS);

    static Pretrain read(Fields fields) {
        Pretrain pretrain = new Pretrain(
                fields.get(HIDDEN_SIZE),
                fields.get(INTERMEDIATE_SIZE),
                fields.get(LAYERS),
                fields.get(HEADS),
                fields.get(KEY_VALUE_HEADS),
                fields.get(VOCABULARY_SIZE),
                fields.get(MAXIMUM_POSITIONS),
                fields.get(TIED_HEAD),
                fields.get(ROPE_THETA),
                TrainingSettings.read(fields));
        if (pretrain.hiddenSize % pretrain.heads != 0 || pretrain.hiddenSize / pretrain.heads % 2 != 0) {
            fields.wrong(
                    HEADS,
                    "must divide hidden_size (%d) into heads of even width, is %d"
                            .formatted(pretrain.hiddenSize, pretrain.heads));
        }
        if (pretrain.heads % pretrain.keyValueHeads != 0) {
            fields.wrong(
                    KEY_VALUE_HEADS, "must divide heads (%d), is %d".formatted(pretrain.heads, pretrain.keyValueHeads));
        }
        return pretrain;
    }

    @Override
    public String name() {
        return "pretrain";
    }
}
