package dev.demitasse.quantize.mix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.IQ4_XS;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.MXFP4;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_1;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_0;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.FamilyConfigs;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against llama-quantize v0.5.0, whose files' sizes shared/QUANTIZATION.md lists. */
class PresetTest {
    private static final Map<String, Long> STORIES_3M = Map.of(
            "q8_0", 3_449_248L,
            "q6_k", 3_306_400L,
            "q5_k_m", 2_708_896L,
            "q5_0", 2_564_512L,
            "q4_k_m", 2_550_688L,
            "q4_1", 2_417_056L,
            "q4_0", 2_269_600L,
            "iq4_nl", 2_269_600L,
            "q3_k_m", 2_308_000L,
            "q2_k", 2_191_264L);
    private static final Map<String, Long> STORIES_K256 = Map.of(
            "q8_0", 4_561_536L,
            "q6_k", 3_545_728L,
            "q5_k_m", 3_188_864L,
            "q4_k_m", 2_852_992L,
            "q4_0", 2_734_720L,
            "iq4_nl", 2_734_720L,
            "q3_k_m", 2_481_792L,
            "q2_k", 2_117_248L);

    /** All files of a model have the same metadata, so each is as much larger than its tensors. */
    @ParameterizedTest
    @CsvSource({"stories3M", "stories-k256"})
    void tensorsTakeAsManyBytesAsInLlamaQuantizesFiles(String model) throws IOException {
        Map<String, Long> metadata = new LinkedHashMap<>();
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/" + model))) {
            (model.equals("stories3M") ? STORIES_3M : STORIES_K256).forEach((id, bytes) -> {
                TensorPlan plan = Mix.named(id).orElseThrow().plan(checkpoint.config(), false);
                metadata.put(id, bytes - plan.bytes());
            });
        }
        assertThat(metadata.values().stream().collect(Collectors.toSet())).hasSize(1);
    }

    /**
     * The files of huggingface.co/TheBloke/Mistral-7B-Instruct-v0.2-GGUF, whose tensors begin at byte 735,520: grouped
     * queries, a head of its own, all 32 layers. (Its Q2_K is of December 2023 and by other rules.)
     */
    @ParameterizedTest
    @CsvSource({
        "q3_k_s, 3164567840",
        "q3_k_m, 3518986528",
        "q3_k_l, 3822024992",
        "q4_0, 4108917024",
        "q4_k_s, 4140374304",
        "q4_k_m, 4368439584",
        "q5_0, 4997716256",
        "q5_k_s, 4997716256",
        "q5_k_m, 5131409696",
        "q6_k, 5942065440",
        "q8_0, 7695857952"
    })
    void tensorsTakeAsManyBytesAsInPublishedFiles(String id, long bytes) {
        assertThat(Mix.named(id).orElseThrow().plan(mistral(""), false).bytes()).isEqualTo(bytes - 735_520);
    }

    private static ModelConfig mistral(String more) {
        boolean mixture = !more.isEmpty();
        return Families.read(ConfigJson.parse(Path.of("config.json"), """
                {
                  "architectures": ["%s"], "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
                  "max_position_embeddings": 32768, "model_type": "%s", "num_attention_heads": 32,
                  "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
                  "sliding_window": null, "tie_word_embeddings": false, "vocab_size": 32000 %s
                }""".formatted(
                        mixture ? "MixtralForCausalLM" : "MistralForCausalLM", mixture ? "mixtral" : "mistral", more)));
    }

    /** With eight experts attention is so small a part that it gets fine types; an expert's own follow the layer. */
    @Test
    void attentionIsFineWhereThereAreEightExperts() {
        ModelConfig config = mistral(", \"num_local_experts\": 8, \"num_experts_per_tok\": 2");
        TensorPlan plan = Mix.of(Preset.Q4_K_M).plan(config, false);
        assertThat(plan.of(TensorKey.weight(Role.VALUE, 5))).isEqualTo(new Q8_0());
        assertThat(plan.of(TensorKey.weight(Role.KEY, 5))).isEqualTo(new Q8_0());
        assertThat(plan.of(TensorKey.weight(Role.QUERY, 5))).isEqualTo(new Q4_K());
        assertThat(plan.of(TensorKey.weight(Role.ATTENTION_OUTPUT, 5))).isEqualTo(new Q5_K());
        assertThat(plan.of(TensorKey.expert(Role.EXPERT_DOWN, 0, 7))).isEqualTo(new Q6_K());
        assertThat(plan.of(TensorKey.expert(Role.EXPERT_DOWN, 4, 7))).isEqualTo(new Q4_K());
        assertThat(plan.of(TensorKey.weight(Role.ROUTER, 4))).isEqualTo(ScalarFormat.F32);
        TensorPlan experts = Mix.of(Preset.MXFP4_MOE).plan(config, false);
        assertThat(experts.of(TensorKey.expert(Role.EXPERT_UP, 4, 1))).isEqualTo(new MXFP4());
        assertThat(experts.of(TensorKey.weight(Role.QUERY, 5))).isEqualTo(new Q8_0());
        assertThat(experts.of(TensorKey.weight(Role.HEAD))).isEqualTo(new Q8_0());
    }

    /** Where q, k and v share a tensor in GGUF, they get one type, that of values. */
    @Test
    void whatSharesATensorSharesItsType() {
        ModelConfig config = Families.read(ConfigJson.parse(Path.of("config.json"), FamilyConfigs.text("bloom")))
                .withLayers(8);
        TensorPlan plan =
                Mix.of(Preset.Q4_0).withExceptions(Map.of("*.up", new Q8_0())).plan(config, false);
        for (Role role : List.of(Role.QUERY, Role.KEY, Role.VALUE)) {
            assertThat(plan.of(TensorKey.weight(role, 0))).isEqualTo(new Q4_0());
        }
        assertThat(plan.of(TensorKey.weight(Role.UP, 3))).isEqualTo(new Q8_0());
        TensorPlan mixed = Mix.of(Preset.Q4_K_M).plan(config, false);
        // 32 columns: Q6_K falls back to Q8_0, Q4_K to Q5_0.
        assertThat(mixed.of(TensorKey.weight(Role.QUERY, 0))).isEqualTo(new Q8_0());
        assertThat(mixed.of(TensorKey.weight(Role.KEY, 0))).isEqualTo(new Q8_0());
        assertThat(mixed.of(TensorKey.weight(Role.KEY, 2))).isEqualTo(new Q5_0());
        assertThat(mixed.fallbacks())
                .anySatisfy(sentence ->
                        assertThat(sentence).contains("32 columns", "blocks of 256", "q8_0 instead of q6_k"));
    }

    /** An importance matrix makes llama-quantize trust coarser types, but Q4_0 and Q5_0 less in the first layers. */
    @Test
    void calibrationChangesSomeTypes() {
        TensorKey down = TensorKey.weight(Role.DOWN, 0);
        assertThat(Mix.of(Preset.Q4_0).plan(mistral(""), true).of(down)).isEqualTo(new Q4_1());
        assertThat(Mix.of(Preset.Q4_0).plan(mistral(""), false).of(down)).isEqualTo(new Q4_0());
        assertThat(Mix.of(Preset.IQ4_XS).plan(mistral(""), true).of(down)).isEqualTo(new IQ4_XS());
        assertThat(Mix.of(Preset.IQ4_XS).plan(mistral(""), false).of(down)).isEqualTo(new Q5_K());
    }

    @Test
    void namesAreLlamaQuantizesAndOurFormats() {
        assertThat(Mix.named("q4_k").orElseThrow().preset()).contains(Preset.Q4_K_M);
        assertThat(Mix.named("int4_g128").orElseThrow().base()).isEqualTo(new IntegerGroup(4, 128, true));
        assertThat(Mix.named("fp8").orElseThrow().base()).isEqualTo(ScalarFormat.F8_E4M3);
        assertThat(Mix.named("q4_7")).isEmpty();
        assertThat(Mix.all().keySet()).contains("q4_k_m", "q4_k", "int8", "nf4", "q2_k_s");
    }

    /** What those formats' runtimes do not read stays as it is. */
    @Test
    void groupsLeaveTablesInFloat16() {
        TensorPlan plan = Mix.named("int4_g128").orElseThrow().plan(mistral(""), true);
        assertThat(plan.of(TensorKey.weight(Role.EMBEDDING))).isEqualTo(ScalarFormat.F16);
        assertThat(plan.of(TensorKey.weight(Role.HEAD))).isEqualTo(ScalarFormat.F16);
        assertThat(plan.bitsPerWeight()).isBetween(4.125, 4.6);
        assertThat(Mix.named("q4_k_m")
                        .orElseThrow()
                        .pure()
                        .plan(mistral(""), true)
                        .bitsPerWeight())
                .isEqualTo(4.5);
    }

    @Test
    void patternsThatFitNothingAreMistakes() {
        Mix mix = Mix.of(Preset.Q4_K_M).withExceptions(Map.of("*.downn", new Q6_K()));
        assertThatThrownBy(() -> mix.plan(mistral(""), false))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("*.downn");
        TensorPlan plan = Mix.of(Preset.Q4_K_M)
                .withExceptions(Map.of("blk.3.ffn_gate", new Q8_0()))
                .plan(mistral(""), false);
        assertThat(plan.of(TensorKey.weight(Role.GATE, 3))).isEqualTo(new Q8_0());
        assertThat(plan.of(TensorKey.weight(Role.GATE, 4))).isEqualTo(new Q4_K());
    }
}
