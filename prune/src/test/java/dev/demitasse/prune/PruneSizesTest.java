package dev.demitasse.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The sizes follow from the rule in {@link PruneSizes}; expected numbers were worked out by hand. */
class PruneSizesTest {
    private static final PruneOptions OPTIONS = PruneOptions.keepAll(Importance.MAGNITUDE);

    private static ModelConfig model(int hidden, int neurons) {
        return Families.read(ConfigJson.parse(Path.of("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "vocab_size": 1000, "hidden_size": %d, "intermediate_size": %d,
                 "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 32}
                """.formatted(hidden, neurons)));
    }

    @ParameterizedTest
    @CsvSource({
        "768, 0.75, 512", // 576 is 2.25 times 256
        "768, 0.9, 704", // 691 would be 768 again as a multiple of 256; it is 21.6 times 32
        "1536, 0.75, 1280", // 1152 is 4.5 times 256
        "11008, 0.5, 5632", // 5504 is 21.5 times 256
        "172, 0.5, 96", // not a multiple of 256; 86 is 2.7 times 32
        "512, 0.01, 256", // one multiple at least
        "96, 0.01, 32",
        "20, 1, 20"
    })
    void roundsKeptFractionsOfWidthsToWhatBlockFormatsNeed(int size, double fraction, int expected) {
        PruneOptions neurons = OPTIONS.withFeedForward(Keep.fraction(fraction)).withLayers(Keep.count(3));
        assertThat(PruneSizes.apply(model(256, size), neurons).feedForward().intermediateSize())
                .isEqualTo(expected);
        PruneOptions hidden = OPTIONS.withHidden(Keep.fraction(fraction)).withLayers(Keep.count(3));
        assertThat(PruneSizes.apply(model(size, 256), hidden).hiddenSize()).isEqualTo(expected);
    }

    @Test
    void followsTheMultipleThatIsAskedFor() {
        PruneOptions options = OPTIONS.withFeedForward(Keep.fraction(0.5)).withMultipleOf(10);
        assertThat(PruneSizes.apply(model(256, 768), options).feedForward().intermediateSize())
                .isEqualTo(380);
    }

    @Test
    void takesCountsAsTheyAre() {
        PruneOptions options = OPTIONS.withFeedForward(Keep.count(701)).withHidden(Keep.count(255));
        ModelConfig pruned = PruneSizes.apply(model(256, 768), options);
        assertThat(pruned.feedForward().intermediateSize()).isEqualTo(701);
        assertThat(pruned.hiddenSize()).isEqualTo(255);
    }

    @Test
    void cutsHeadsByWholeGroupsAndKeepsTheirWidth() {
        ModelConfig pruned = PruneSizes.apply(
                model(256, 768),
                OPTIONS.withHeads(Keep.fraction(0.75))
                        .withHidden(Keep.fraction(0.5))
                        .withLayers(Keep.fraction(0.5)));
        assertThat(pruned.attention().keyValueHeads()).isEqualTo(3);
        assertThat(pruned.attention().heads()).isEqualTo(6);
        assertThat(pruned.attention().headDimension()).isEqualTo(32);
        assertThat(pruned.hiddenSize()).isEqualTo(128);
        assertThat(pruned.layers()).isEqualTo(3);
        assertThat(PruneSizes.apply(model(256, 768), OPTIONS.withHeads(Keep.fraction(0.01)))
                        .attention()
                        .keyValueHeads())
                .isEqualTo(1);
    }

    @Test
    void refusesWhatWouldCutNothing() {
        assertThatThrownBy(() -> PruneSizes.apply(model(256, 768), OPTIONS))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("nothing would be cut");
        assertThatThrownBy(() -> PruneSizes.apply(
                        model(256, 768),
                        OPTIONS.withFeedForward(Keep.fraction(0.99)).withMultipleOf(64)))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("prune.ffn: 0.99 of 768, rounded to a multiple of 64, is 768");
        assertThatThrownBy(() -> PruneSizes.apply(model(256, 768), OPTIONS.withHeads(Keep.fraction(0.9))))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("prune.heads");
    }

    @Test
    void refusesToKeepMoreThanThereIs() {
        assertThatThrownBy(() -> PruneSizes.apply(model(256, 768), OPTIONS.withLayers(Keep.count(7))))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("prune.layers: must keep at most the 6 there are, is 7");
    }
}
