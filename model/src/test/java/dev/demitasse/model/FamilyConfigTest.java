package dev.demitasse.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.FamilyConfigs;
import dev.demitasse.model.reference.TinyModel;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What config.json says is what transformers' code for the family makes of it, field by field (4.46.3; modeling files are
 * those of {@code src/transformers/models}).
 */
class FamilyConfigTest {
    private static final Set<Role> ALL = Attention.PROJECTIONS;

    @TempDir
    private Path folder;

    private static ModelConfig read(String name) {
        return parse(FamilyConfigs.text(name));
    }

    private static ModelConfig parse(String text) {
        return Families.read(ConfigJson.parse(Path.of("config.json"), text));
    }

    /** {@code text} with {@code "key": value} in place of what it says, or added. */
    private static String with(String name, String entry) {
        return FamilyConfigs.text(name).replaceFirst("\\{", "{" + entry + ",");
    }

    static Stream<String> names() {
        return FamilyConfigs.names();
    }

    /** Random weights are written under the family's names and read back, as is every field. */
    @ParameterizedTest
    @MethodSource("names")
    void isReadAsItWasWritten(String name) throws IOException {
        ModelConfig config = read(name);
        TinyModel.write(folder, config, key -> ScalarFormat.F32);
        try (Checkpoint written = Checkpoint.open(folder)) {
            assertThat(written.config()).isEqualTo(config);
            for (TensorKey key : config.tensors()) {
                assertThat(written.tensor(key).toFloats())
                        .as(key.toString())
                        .containsExactly(TinyModel.tensor(config, key).toFloats());
            }
        }
    }

    /** GPTNeoSelfAttention: the window by tril xor tril(−window), no scale, a bias only after attention. */
    @Test
    void gptNeoLooksThroughAWindowByTurns() {
        ModelConfig config = read("gpt_neo");
        assertThat(config.blocks().stream().map(block -> block.attention().slidingWindow()))
                .containsExactly(Attention.FULL, 5, Attention.FULL, 5);
        assertThat(config.attention().scale()).isEqualTo(1);
        assertThat(config.attention().biases()).containsExactly(Role.ATTENTION_OUTPUT);
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(128, Activation.GELU_TANH, true));
        assertThat(config.embedding()).isEqualTo(InputEmbedding.plain(32).withPositions(64, 0));
        assertThat(config.positions()).isEqualTo(new Positions.None());
        assertThat(config.residual()).isEqualTo(Residual.PRE_NORM);
        assertThat(config.tiedHead()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[[[\"global\", \"local\"], 3]] | for each of 4 layers",
                "[[[\"global\", \"local\"], 999999999]] | for each of 4 layers",
                "[[[\"global\", \"sparse\"], 2]] | must say global or local",
            })
    void gptNeoNeedsATypeForEachLayer(String types, String message) {
        assertThatThrownBy(() -> parse(with("gpt_neo", "\"attention_types\": " + types)
                        .replaceFirst("\"attention_types\": \\[\\[\\[\"global\", \"local\"\\], 2\\]\\],", "")))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining(message);
    }

    /** GPTBigCodeAttention: one key and one value head after all query heads, or q, k, v of each head together. */
    @Test
    void bigCodeSharesOneKeyValueHead() throws IOException {
        ModelConfig shared = read("gpt_bigcode");
        assertThat(shared.attention().keyValueHeads()).isEqualTo(1);
        assertThat(shared.attention().biases()).isEqualTo(ALL);
        assertThat(shared.feedForward().activation()).isEqualTo(Activation.GELU_TANH);
        assertThat(shared.names().huggingFace(TensorKey.weight(Role.KEY, 0)))
                .containsExactly(
                        new Piece("transformer.h.0.attn.c_attn.weight", new long[] {48, 32}, 32, 8, 48, 1, 0, false));
        ModelConfig own = read("gpt_bigcode_multi_head");
        assertThat(own.attention().keyValueHeads()).isEqualTo(4);
        assertThat(own.names().huggingFace(TensorKey.weight(Role.VALUE, 1)))
                .containsExactly(
                        new Piece("transformer.h.1.attn.c_attn.weight", new long[] {96, 32}, 16, 8, 24, 4, 0, false));
        assertThat(parse(with("gpt_bigcode", "\"scale_attn_weights\": false")
                                .replace("\"scale_attn_weights\": true,", ""))
                        .attention()
                        .scale())
                .isEqualTo(1);
    }

    /** GPT2Attention._attn: 1/√width, or 1, divided by the layer's number if asked. */
    @Test
    void gpt2ScalesByLayer() {
        ModelConfig config = read("gpt2_layer_scales");
        assertThat(config.attention(0).scale()).isEqualTo(1 / Math.sqrt(8));
        assertThat(config.attention(2).scale()).isEqualTo(1 / Math.sqrt(8) / 3);
        assertThat(config.feedForward().intermediateSize()).isEqualTo(128);
    }

    /** OPTDecoder: norms after blocks, none at the end, the embedding projected in and out without biases. */
    @Test
    void opt350m() {
        ModelConfig config = read("opt_350m");
        assertThat(config.residual()).isEqualTo(Residual.POST_NORM);
        assertThat(config.head()).isEqualTo(Head.plain(true).withNorm(false));
        assertThat(config.embedding()).isEqualTo(InputEmbedding.plain(16).withPositions(66, 2));
        assertThat(config.maximumPositions()).isEqualTo(64);
        assertThat(config.tensors())
                .contains(TensorKey.weight(Role.PROJECT_IN), TensorKey.weight(Role.PROJECT_OUT))
                .doesNotContain(TensorKey.weight(Role.FINAL_NORM), TensorKey.weight(Role.ATTENTION_NORM, 0));
        assertThat(config.shape(TensorKey.weight(Role.PROJECT_OUT))).containsExactly(16, 32);
        assertThat(config.names()
                        .huggingFace(TensorKey.weight(Role.FEED_FORWARD_POST_NORM, 1))
                        .getFirst()
                        .name())
                .isEqualTo("model.decoder.layers.1.final_layer_norm.weight");
    }

    /** OPTDecoderLayer with enable_bias and layer_norm_elementwise_affine off; Galactica has the first. */
    @Test
    void optWithoutBiases() {
        ModelConfig config = read("opt_plain");
        assertThat(config.norm()).isEqualTo(new Norm.Layer(1e-5, false, false));
        assertThat(config.attention().biases()).isEmpty();
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(64, Activation.GELU, false));
        assertThat(config.head().norm()).isFalse();
        assertThat(config.residual()).isEqualTo(Residual.PRE_NORM);
    }

    /** FalconDecoderLayer, build_alibi_tensor: (q·k + alibi) / √width, blocks one after the other, biases. */
    @Test
    void falconRw() {
        ModelConfig config = read("falcon_rw");
        assertThat(config.positions()).isEqualTo(new Positions.Alibi(8, true));
        assertThat(config.residual()).isEqualTo(Residual.PRE_NORM);
        assertThat(config.attention()).isEqualTo(Attention.of(4, 4, 8).withBiases(ALL));
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(128, Activation.GELU, true));
        assertThat(config.names().huggingFace(TensorKey.weight(Role.KEY, 0)))
                .containsExactly(new Piece(
                        "transformer.h.0.self_attention.query_key_value.weight",
                        new long[] {96, 32},
                        8,
                        8,
                        24,
                        4,
                        0,
                        false));
    }

    /** Falcon2-11B: key/value heads in groups, one norm. */
    @Test
    void falconWithOneNorm() {
        ModelConfig config = read("falcon_one_norm");
        assertThat(config.residual()).isEqualTo(Residual.PARALLEL);
        assertThat(config.attention().keyValueHeads()).isEqualTo(2);
        assertThat(config.positions()).isEqualTo(Positions.Rotary.of(8, 500_042));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "falcon_rw | \"num_ln_in_parallel_attn\": null, \"parallel_attn\": false, | \"num_ln_in_parallel_attn\": 2, | num_ln_in_parallel_attn",
                "falcon_one_norm | \"parallel_attn\": true, | \"parallel_attn\": false, | new_decoder_architecture",
                "bert | \"position_embedding_type\": \"absolute\", | \"position_embedding_type\": \"relative_key\", | position_embedding_type",
                "roberta | \"type_vocab_size\": 1, | \"is_decoder\": true, | is_decoder",
                "bloom | \"n_layer\": 2, | \"n_layer\": 2, \"apply_residual_connection_post_layernorm\": true, | apply_residual_connection_post_layernorm",
                "gpt2_layer_scales | \"n_layer\": 3, | \"n_layer\": 3, \"add_cross_attention\": true, | add_cross_attention",
                "gpt2_layer_scales | \"n_head\": 4, | \"n_head\": 5, | 'n_head' is 5",
                "mpt_authors | \"prefix_lm\": false, | \"prefix_lm\": true, | prefix_lm",
                "mpt_authors | \"prefix_lm\": false, | \"rope\": true, | rope",
                "mpt_authors | \"norm_type\": \"low_precision_layernorm\", | \"norm_type\": \"rmsnorm\", | norm_type",
                "openelm | \"normalization_layer_name\": \"rms_norm\", | \"normalization_layer_name\": \"layer_norm\", | normalization_layer_name",
            })
    void whatIsNotHonouredIsRefusedByName(String name, String from, String to, String key) {
        assertThat(FamilyConfigs.text(name)).contains(from);
        assertThatThrownBy(() -> parse(FamilyConfigs.text(name).replace(from, to)))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining(key);
    }

    /** bigscience's files have n_embed and num_attention_heads, which BloomConfig takes for hidden_size and n_head. */
    @Test
    void bloomsFirstNames() {
        ModelConfig config = read("bloom");
        assertThat(config.hiddenSize()).isEqualTo(32);
        assertThat(config.attention()).isEqualTo(Attention.of(4, 4, 8).withBiases(ALL));
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(128, Activation.GELU_TANH, true));
        assertThat(config.embedding().norm()).isTrue();
        assertThat(config.positions()).isEqualTo(new Positions.Alibi(8, false));
    }

    /** MptAttention, MptMLP, MptBlock of transformers: no flag but clip_qkv and softmax_scale counts. */
    @Test
    void mptOfTransformers() {
        ModelConfig config = read("mpt");
        assertThat(config.positions()).isEqualTo(new Positions.Alibi(8, false));
        assertThat(config.attention())
                .isEqualTo(Attention.of(4, 4, 8).withClip(OptionalDouble.of(3)).withScale(0.25));
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(128, Activation.GELU, false));
        assertThat(config.norm()).isEqualTo(new Norm.Layer(1e-5, true, false));
        assertThat(config.embedding()).isEqualTo(InputEmbedding.plain(32));
        assertThat(config.head()).isEqualTo(Head.plain(true));
    }

    /** llm-foundry's MPTForCausalLM: learned positions, norms of q and k, biases, one key/value head, any width. */
    @Test
    void mptOfItsAuthors() {
        ModelConfig config = read("mpt_authors");
        assertThat(config.positions()).isEqualTo(new Positions.None());
        assertThat(config.embedding()).isEqualTo(InputEmbedding.plain(32).withPositions(64, 0));
        assertThat(config.norm()).isEqualTo(new Norm.Layer(1e-5));
        assertThat(config.attention())
                .isEqualTo(Attention.of(4, 1, 8)
                        .withBiases(ALL)
                        .withQueryKeyNorm(Optional.of(new QueryKeyNorm(config.norm(), Scope.ALL_HEADS))));
        assertThat(config.feedForward()).isEqualTo(FeedForward.plain(64, Activation.GELU, true));
        assertThat(config.head().scale()).isEqualTo(1 / Math.sqrt(32));
    }

    /** apple/OpenELM's configuration_openelm.py, make_divisible and __post_init__. */
    @Test
    void openElmGrowsByLayer() {
        ModelConfig config = read("openelm");
        assertThat(config.blocks().stream().map(block -> block.attention().heads()))
                .containsExactly(4, 6, 8);
        assertThat(config.blocks().stream().map(block -> block.attention().keyValueHeads()))
                .containsExactly(2, 3, 4);
        assertThat(config.blocks().stream().map(block -> block.feedForward().intermediateSize()))
                .containsExactly(32, 144, 256);
        assertThat(config.attention().queryKeyNorm()).contains(new QueryKeyNorm(new Norm.Rms(1e-6), Scope.HEAD));
        assertThat(config.feedForward().gated()).isTrue();
        assertThat(config.tiedHead()).isTrue();
        assertThat(config.positions()).isEqualTo(Positions.Rotary.of(8, 10_000));
        assertThat(config.names().huggingFace(TensorKey.weight(Role.UP, 1)))
                .containsExactly(new Piece(
                        "transformer.layers.1.ffn.proj_1.weight", new long[] {288, 64}, 144, 144, 144, 1, 0, false));
    }

    /** The published OpenELM-270M: its config.json says factors and, redundantly, the heads that follow from them. */
    @Test
    void openElmsHeadsFollowFromItsFactors() {
        String factors = "{\"architectures\": [\"OpenELMForCausalLM\"], \"vocab_size\": 40, \"model_dim\": 1280,"
                + " \"head_dim\": 64, \"num_transformer_layers\": 16, \"num_gqa_groups\": 4,"
                + " \"qkv_multipliers\": [0.5, 1.0], \"ffn_multipliers\": [0.5, 4.0]}";
        ModelConfig config = parse(factors);
        assertThat(config.blocks().stream().map(block -> block.attention().heads()))
                .containsExactly(12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 20, 20, 20, 20);
        assertThat(config.blocks().stream().map(block -> block.attention().keyValueHeads()))
                .containsExactly(3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5);
        assertThat(config.feedForward(0).intermediateSize()).isEqualTo(768);
        assertThat(config.feedForward(15).intermediateSize()).isEqualTo(5120);
    }

    /** RobertaEmbeddings: positions from padding_idx + 1; RobertaLMHead: always GELU, its bias at lm_head.bias. */
    @Test
    void robertaCountsPositionsFromItsPadding() {
        ModelConfig config = read("roberta");
        assertThat(config.embedding())
                .isEqualTo(InputEmbedding.plain(32)
                        .withPositions(66, 2)
                        .withTokenTypes(1)
                        .withNorm(true));
        assertThat(config.maximumPositions()).isEqualTo(64);
        assertThat(config.specialTokens().pad()).isEqualTo(OptionalInt.of(1));
        assertThat(config.causal()).isFalse();
        assertThat(config.head())
                .isEqualTo(Head.plain(true).withNorm(false).withBias(true).withTransform(Optional.of(Activation.GELU)));
        assertThat(config.name(TensorKey.weight(Role.HEAD).part(TensorKey.Part.BIAS)))
                .isEqualTo("lm_head.bias");
    }

    /** BERT's untied head is {@code decoder.weight}; its bias stands outside, in cls.predictions.bias. */
    @Test
    void bertsHeadMayBeItsOwn() throws IOException {
        ModelConfig config = parse(with("bert", "\"tie_word_embeddings\": false"));
        TinyModel.write(folder, config, key -> ScalarFormat.F32);
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
            assertThat(file.tensors()).containsKeys("cls.predictions.decoder.weight", "cls.predictions.bias");
        }
    }

    /** Where transformers 5 has put what concerns rotary positions. */
    @Test
    void rotaryParametersOfTransformersFive() {
        String text = "{\"architectures\": [\"GPTNeoXForCausalLM\"], \"vocab_size\": 40, \"hidden_size\": 32,"
                + " \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 64,"
                + " \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0, \"rope_theta\": 5000.0,"
                + " \"partial_rotary_factor\": 0.5}}";
        assertThat(parse(text).positions())
                .isEqualTo(Positions.Rotary.of(8, 5000).withScaling(new RopeScaling.Linear(2)));
    }

    /** Three heads of eight in a width of 32: GPT-2's config.json has no key that could say it. */
    @Test
    void whatConfigJsonCannotSayIsNotWritten() {
        ModelConfig config = read("gpt2_layer_scales");
        ModelConfig cut = config.withEachBlock(
                block -> block.withAttention(block.attention().withHeads(3, 3)));
        assertThatThrownBy(() -> TinyModel.write(folder, cut, key -> ScalarFormat.F32))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("cannot describe this model");
    }

    /** Keys of transformers' own: the family's, not Llama's. */
    @Test
    void configIsWrittenInTheFamilysWords() {
        ObjectNode json = Families.named("mpt").write(read("mpt"));
        assertThat(IntStream.of(
                        json.get("d_model").intValue(), json.get("n_heads").intValue()))
                .containsExactly(32, 4);
        assertThat(json.at("/attn_config/clip_qkv").doubleValue()).isEqualTo(3);
        assertThat(json.at("/architectures/0").textValue()).isEqualTo("MptForCausalLM");
        assertThat(Families.named("mpt")
                        .write(read("mpt_authors"))
                        .at("/architectures/0")
                        .textValue())
                .isEqualTo("MPTForCausalLM");
        assertThat(List.copyOf(Families.named("bert").architectures())).startsWith("BertForMaskedLM");
    }
}
