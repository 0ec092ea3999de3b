package dev.demitasse.infer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.CpuModel.Trace;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tiny random models against transformers 4.46.3 in float32, within the golden README's 5e-5. */
class GoldenModelsTest {
    private static final float TOLERANCE = 5e-5f;

    @ParameterizedTest
    @MethodSource("dev.demitasse.model.reference.SharedData#llamaGoldens")
    void agreesWithTransformers(String name) throws IOException {
        Path folder = SharedData.require("golden/" + name);
        try (CpuModel model = CpuModel.open(folder)) {
            for (Sequence sequence : Golden.read(folder).sequences()) {
                Trace trace = model.trace(sequence.inputIds());
                assertClose(trace.logits(), sequence.logits());
                assertThat(trace.hiddenStates())
                        .hasSameSizeAs(sequence.hiddenStates())
                        .zipSatisfy(sequence.hiddenStates(), GoldenModelsTest::assertClose);
                assertClose(model.logits(sequence.inputIds()), sequence.logits());
                assertClose(inPieces(model, sequence.inputIds()), sequence.logits());
                if (sequence.greedy().isPresent()) {
                    assertGreedy(model, sequence.greedy().get());
                }
            }
        }
    }

    /** Logits of the same tokens taken in over a cache: seven at once, then one by one. */
    private static float[] inPieces(CpuModel model, int[] ids) {
        int vocabulary = model.config().vocabularySize();
        float[] logits = new float[ids.length * vocabulary];
        try (Session session = model.newSession(ids.length)) {
            float[] first = session.forward(Arrays.copyOf(ids, 7), Logits.ALL);
            System.arraycopy(first, 0, logits, 0, first.length);
            for (int t = 7; t < ids.length; t++) {
                float[] row = session.forward(new int[] {ids[t]}, Logits.LAST);
                System.arraycopy(row, 0, logits, t * vocabulary, vocabulary);
            }
        }
        return logits;
    }

    /** The golden README: 8 prompt tokens, then 16 greedy ones. */
    private static void assertGreedy(CpuModel model, int[] expected) {
        int[] ids = Arrays.copyOf(expected, expected.length);
        try (Session session = model.newSession(ids.length)) {
            float[] logits = session.forward(Arrays.copyOf(ids, 8), Logits.LAST);
            for (int t = 8; t < ids.length; t++) {
                ids[t] = largest(logits);
                logits = session.forward(new int[] {ids[t]}, Logits.LAST);
            }
        }
        assertThat(ids).isEqualTo(expected);
    }

    private static int largest(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }

    static void assertClose(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        float worst = 0;
        for (int i = 0; i < actual.length; i++) {
            worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
        }
        assertThat(worst).isCloseTo(0, within(TOLERANCE));
    }
}
