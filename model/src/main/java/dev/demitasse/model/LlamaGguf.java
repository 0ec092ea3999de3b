package dev.demitasse.model;

import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Llama's GGUF metadata, as llama.cpp reads and writes it (llama.cpp, src/llama-arch.cpp, "llama"). */
final class LlamaGguf {
    private static final String VOCABULARY = "llama.vocab_size";
    private static final String CONTEXT = "llama.context_length";
    private static final String HIDDEN = "llama.embedding_length";
    private static final String LAYERS = "llama.block_count";
    private static final String FEED_FORWARD = "llama.feed_forward_length";
    private static final String HEADS = "llama.attention.head_count";
    private static final String KEY_VALUE_HEADS = "llama.attention.head_count_kv";
    private static final String KEY_LENGTH = "llama.attention.key_length";
    private static final String VALUE_LENGTH = "llama.attention.value_length";
    private static final String EPSILON = "llama.attention.layer_norm_rms_epsilon";
    private static final String ROTARY_DIMENSIONS = "llama.rope.dimension_count";
    private static final String ROTARY_BASE = "llama.rope.freq_base";
    private static final String SCALING_TYPE = "llama.rope.scaling.type";
    private static final String SCALING_FACTOR = "llama.rope.scaling.factor";

    private LlamaGguf() {}

    /** What metadata alone tells; biases, frequency factors and a head of its own show in the tensors. */
    static ModelConfig read(GgufMetadata metadata) {
        int hiddenSize = metadata.size(HIDDEN);
        int heads = metadata.size(HEADS);
        int headDimension = metadata.size(KEY_LENGTH, Math.max(1, hiddenSize / heads));
        int valueLength = metadata.size(VALUE_LENGTH, headDimension);
        if (valueLength != headDimension) {
            throw metadata.malformed(VALUE_LENGTH, "is %d, keys have %d".formatted(valueLength, headDimension));
        }
        if (metadata.size("llama.expert_count", 1) > 1) {
            throw metadata.malformed("llama.expert_count", "is above 1; Demitasse knows no mixtures of experts");
        }
        int window = metadata.size(Mistral.SLIDING_WINDOW, Attention.FULL);
        return new ModelConfig(
                Families.named(window == Attention.FULL ? "llama" : "mistral"),
                vocabularySize(metadata),
                hiddenSize,
                metadata.size(LAYERS),
                new Attention(heads, metadata.size(KEY_VALUE_HEADS, heads), headDimension, Set.of(), window),
                new FeedForward(metadata.size(FEED_FORWARD), Activation.SILU, false),
                new Norm.Rms(metadata.number(EPSILON, 1e-5)),
                new Rotary(
                        metadata.size(ROTARY_DIMENSIONS, headDimension),
                        metadata.number(ROTARY_BASE, 10_000),
                        scaling(metadata),
                        Pairing.INTERLEAVED),
                metadata.size(CONTEXT, 2048),
                false,
                specialTokens(metadata));
    }

    private static int vocabularySize(GgufMetadata metadata) {
        int tokens = metadata.list("tokenizer.ggml.tokens", String.class)
                .map(List::size)
                .orElse(0);
        return tokens == 0 ? metadata.size(VOCABULARY) : metadata.size(VOCABULARY, tokens);
    }

    private static RopeScaling scaling(GgufMetadata metadata) {
        String type = metadata.text(SCALING_TYPE).orElse("none");
        return switch (type) {
            case "none" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(metadata.number(SCALING_FACTOR, 1));
            default -> throw metadata.malformed(SCALING_TYPE, "is '" + type + "'; Demitasse knows none and linear");
        };
    }

    private static SpecialTokens specialTokens(GgufMetadata metadata) {
        List<Integer> ends = new ArrayList<>();
        metadata.id("tokenizer.ggml.eos_token_id").ifPresent(ends::add);
        metadata.id("tokenizer.ggml.eot_token_id").stream()
                .filter(id -> !ends.contains(id))
                .forEach(ends::add);
        return new SpecialTokens(
                metadata.id("tokenizer.ggml.bos_token_id"), ends, metadata.id("tokenizer.ggml.padding_token_id"));
    }

    static Map<String, Object> write(ModelConfig config) {
        Map<String, Object> values = new LinkedHashMap<>();
        Attention attention = config.attention();
        values.put(VOCABULARY, config.vocabularySize());
        values.put(CONTEXT, config.maximumPositions());
        values.put(HIDDEN, config.hiddenSize());
        values.put(LAYERS, config.layers());
        values.put(FEED_FORWARD, config.feedForward().intermediateSize());
        values.put(HEADS, attention.heads());
        values.put(KEY_VALUE_HEADS, attention.keyValueHeads());
        values.put(KEY_LENGTH, attention.headDimension());
        values.put(VALUE_LENGTH, attention.headDimension());
        switch (config.norm()) {
            case Norm.Rms rms -> values.put(EPSILON, (float) rms.epsilon());
        }
        switch (config.positions()) {
            case Rotary rotary -> {
                values.put(ROTARY_DIMENSIONS, rotary.dimensions());
                values.put(ROTARY_BASE, (float) rotary.base());
                // The other scalings are the factors of the tensor rope_freqs.weight, see Rotary.factors().
                if (rotary.scaling() instanceof RopeScaling.Linear linear) {
                    values.put(SCALING_TYPE, "linear");
                    values.put(SCALING_FACTOR, (float) linear.factor());
                }
            }
        }
        return values;
    }
}
