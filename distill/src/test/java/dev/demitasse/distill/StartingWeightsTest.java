package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StartingWeightsTest {
    @TempDir
    Path folder;

    @Test
    void copiesEvenlySpreadLayersFromFirstToLast() {
        assertThat(LayerMapping.layersToCopy(6, 12)).containsExactly(0, 2, 4, 7, 9, 11); // as DistilBERT did
        assertThat(LayerMapping.layersToCopy(3, 3)).containsExactly(0, 1, 2);
        assertThat(LayerMapping.layersToCopy(1, 5)).containsExactly(0);
    }

    @Test
    void comparesEvenlySpreadHiddenStatesAndTheLastWithTheLast() {
        assertThat(LayerMapping.hiddenStates(4, 12)).containsExactly(3, 6, 9, 12); // as TinyBERT did
        assertThat(LayerMapping.hiddenStates(3, 3)).containsExactly(1, 2, 3);
    }

    @Test
    void aModelOfAllLayersInFullWidthIsTheSourceItself() throws IOException {
        ModelConfig config = TinyModels.config(32, 3);
        try (Checkpoint source = Checkpoint.open(TinyModels.write(folder, config, 1))) {
            SourceWeights copy = StartingWeights.layersOf(source, config);
            for (TensorKey key : config.tensors()) {
                assertThat(copy.tensor().apply(key).toFloats())
                        .isEqualTo(source.tensor(key).toFloats());
            }
        }
    }

    @Test
    void aNarrowerModelTakesLeadingRowsAndColumnsOfTheChosenLayers() throws IOException {
        ModelConfig narrow = TinyModels.config(16, 2);
        try (Checkpoint source = Checkpoint.open(TinyModels.write(folder, TinyModels.config(32, 3), 1))) {
            SourceWeights cut = StartingWeights.layersOf(source, narrow);
            float[] ours = cut.tensor().apply(TensorKey.weight(Role.DOWN, 1)).toFloats();
            float[] theirs = source.tensor(TensorKey.weight(Role.DOWN, 2)).toFloats();
            for (int row = 0; row < 16; row++) {
                assertThat(Arrays.copyOfRange(ours, row * 32, row * 32 + 32))
                        .isEqualTo(Arrays.copyOfRange(theirs, row * 64, row * 64 + 32));
            }
        }
    }

    @Test
    void refusesHeadsOfAnotherShapeAndModelsThatAreNoPart() throws IOException {
        ModelConfig config = TinyModels.config(32, 3);
        try (Checkpoint source = Checkpoint.open(TinyModels.write(folder, config, 1))) {
            Attention ungrouped = config.attention().withHeads(4, 4);
            assertThatThrownBy(() -> StartingWeights.layersOf(source, config.withAttention(ungrouped)))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("groups of 2")
                    .hasMessageContaining("groups of 1");
            assertThatThrownBy(() -> StartingWeights.layersOf(source, TinyModels.config(32, 4)))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("3 layers");
            SourceWeights wider = StartingWeights.layersOf(source, TinyModels.config(48, 2));
            assertThatThrownBy(() -> wider.tensor().apply(TensorKey.weight(Role.FINAL_NORM)))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("[48]");
        }
    }

    @Test
    void newWeightsDependOnTheSeedAndHaveTheDeviationAsked() {
        ModelConfig config = TinyModels.config(64, 2, 512);
        TensorKey embedding = TensorKey.weight(Role.EMBEDDING);
        float[] one =
                StartingWeights.random(config, 1).tensor().apply(embedding).toFloats();
        assertThat(StartingWeights.random(config, 1).tensor().apply(embedding).toFloats())
                .isEqualTo(one);
        assertThat(StartingWeights.random(config, 2).tensor().apply(embedding).toFloats())
                .isNotEqualTo(one);
        assertThat(deviation(one)).isCloseTo(0.02, within(0.0005));
        float[] down = StartingWeights.random(config, 1)
                .tensor()
                .apply(TensorKey.weight(Role.DOWN, 0))
                .toFloats();
        assertThat(deviation(down)).isCloseTo(0.01, within(0.0005));
    }

    @Test
    void newNormsAreOnesAndNewBiasesZerosHoweverTheFamilyStoresThem() throws IOException {
        for (String name : new String[] {"bert_mlm", "gemma2", "stablelm"}) {
            try (Checkpoint golden = Checkpoint.open(SharedData.require("golden/" + name))) {
                SourceWeights weights = StartingWeights.random(golden.config(), 1);
                for (TensorKey key : weights.config().tensors()) {
                    float[] values = weights.tensor().apply(key).toFloats();
                    if (key.part() == Part.BIAS) {
                        assertThat(values).containsOnly(0);
                    } else if (key.role().norm()) {
                        assertThat(values).containsOnly(1);
                    } else if (name.equals("bert_mlm") && key.role() == Role.DOWN) {
                        assertThat(deviation(values)).isCloseTo(0.02, within(0.001));
                    }
                }
            }
        }
    }

    /** Plain feed-forward blocks, learned positions, segments, a head of its own: DistilBERT's way of making a student. */
    @Test
    void aShallowEncoderIsMadeOfItsTeachersLayers() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/bert_mlm"))) {
            ModelConfig config = source.config().withLayers(1);
            SourceWeights cut = StartingWeights.layersOf(source, config);
            for (TensorKey key : config.tensors()) {
                assertThat(cut.tensor().apply(key).toFloats())
                        .isEqualTo(source.tensor(key).toFloats());
            }
        }
    }

    @Test
    void refusesLayersOfDifferentShapesAndBlocksOfAnotherKind() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/qwen2_moe"))) {
            ModelConfig config = source.config();
            assertThatThrownBy(() -> StartingWeights.layersOf(source, config.withLayers(1)))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("different shapes");
            assertThat(StartingWeights.layersOf(source, config).config().parameters())
                    .isEqualTo(config.parameters());
        }
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/mixtral"))) {
            ModelConfig config = source.config();
            FeedForward fewer = FeedForward.experts(
                    config.feedForward().intermediateSize(), FeedForward.Activation.SILU, new Experts(2, 2, true, 0));
            assertThatThrownBy(() -> StartingWeights.layersOf(source, config.withFeedForward(fewer)))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("2 of 2 experts");
        }
    }

    private static double deviation(float[] values) {
        double squares = 0;
        for (float value : values) {
            squares += (double) value * value;
        }
        return Math.sqrt(squares / values.length);
    }
}
