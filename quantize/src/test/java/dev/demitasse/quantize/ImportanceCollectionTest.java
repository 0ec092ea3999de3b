package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.gguf.ImportanceMatrix;
import dev.demitasse.model.gguf.ImportanceMatrix.Sums;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What an importance matrix holds, by its definition. */
class ImportanceCollectionTest {
    private static final int LENGTH = 24;
    private static final int COUNT = 3;

    private static ImportanceMatrix collect(Checkpoint source) {
        return ImportanceCollection.collect(source, windows(source.config()), "random", Progress.SILENT);
    }

    private static TokenWindows windows(ModelConfig config) {
        Random random = new Random(5);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            windows.add(random.ints(LENGTH, 0, config.vocabularySize()).toArray());
        }
        return TokenWindows.ofTokens("random", windows);
    }

    /** The first layer's queries see normalized embeddings, which a few lines give too. */
    @Test
    void theFirstProjectionSeesNormalizedEmbeddings() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama"))) {
            ModelConfig config = source.config();
            ImportanceMatrix matrix = collect(source);
            float[] norm =
                    source.tensor(TensorKey.weight(Role.ATTENTION_NORM, 0)).toFloats();
            Tensor embedding = source.tensor(TensorKey.weight(Role.EMBEDDING));
            double[] expected = new double[config.hiddenSize()];
            float[] row = new float[config.hiddenSize()];
            TokenWindows windows = windows(config);
            for (int window = 0; window < COUNT; window++) {
                for (int id : Protocol.LLAMACPP.prepare(windows.window(window), config)) {
                    embedding.readRow(id, row, 0);
                    double square = 0;
                    for (float value : row) {
                        square += (double) value * value;
                    }
                    double scale = 1 / (square / row.length + config.norm().epsilon());
                    for (int i = 0; i < row.length; i++) {
                        expected[i] += row[i] * row[i] * scale * norm[i] * norm[i];
                    }
                }
            }
            for (Role role : List.of(Role.QUERY, Role.KEY, Role.VALUE)) {
                double[] means =
                        matrix.meanSquares(config, TensorKey.weight(role, 0)).orElseThrow();
                for (int i = 0; i < means.length; i++) {
                    double wanted = expected[i] / (COUNT * LENGTH);
                    assertThat(means[i]).isCloseTo(wanted, within(1e-5 * wanted + 1e-9));
                }
            }
            assertThat(matrix.tensors()).hasSize(7 * config.layers());
            assertThat(matrix.chunks()).isEqualTo(COUNT);
            assertThat(matrix.chunkTokens()).isEqualTo(LENGTH);
        }
    }

    /** Each token goes to two of Mixtral's experts; a stack of experts has a row and a count for each. */
    @Test
    void expertsHaveSumsAndCountsOfTheirOwn() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/mixtral"))) {
            ModelConfig config = source.config();
            int experts = config.feedForward(0).experts().orElseThrow().count();
            int used = config.feedForward(0).experts().orElseThrow().used();
            ImportanceMatrix matrix = collect(source);
            for (String name : List.of("blk.1.ffn_gate_exps.weight", "blk.1.ffn_down_exps.weight")) {
                Sums sums = matrix.sums(name).orElseThrow();
                double tokens = 0;
                for (float count : sums.counts()) {
                    tokens += count;
                }
                assertThat(sums.counts()).hasSize(experts);
                assertThat(tokens).isEqualTo(COUNT * LENGTH * used);
            }
            TensorKey down = TensorKey.expert(Role.EXPERT_DOWN, 1, experts - 1);
            assertThat(matrix.meanSquares(config, down).orElseThrow()).hasSize(config.columns(down));
        }
    }

    /** Collecting changes nothing of what the model computes. */
    @Test
    void twiceIsTheSame() throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/qwen2"));
                CpuModel model = CpuModel.of(source)) {
            float[] before = model.logits(windows(source.config()).window(0));
            Sums first = collect(source).sums("blk.0.ffn_down.weight").orElseThrow();
            Sums second = collect(source).sums("blk.0.ffn_down.weight").orElseThrow();
            assertThat(second.squares()).isEqualTo(first.squares());
            assertThat(model.logits(windows(source.config()).window(0))).isEqualTo(before);
        }
    }
}
