package dev.demitasse.infer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.CpuModel.Trace;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.Positions;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tiny random models against transformers in float32: every golden folder whose architecture is known. */
class GoldenModelsTest {
    /** The golden README's, but for models whose own noise in float32 is nearly that. */
    private static final float TOLERANCE = 5e-5f;

    static Stream<Path> folders() throws IOException {
        Path golden = SharedData.require("golden");
        Set<String> known = Families.all().stream()
                .flatMap(family -> family.architectures().stream())
                .collect(Collectors.toSet());
        List<Path> folders = new ArrayList<>();
        try (Stream<Path> all = Files.list(golden)) {
            for (Path folder : all.filter(Golden::isIn).sorted().toList()) {
                ConfigJson json = ConfigJson.read(folder.resolve("config.json"));
                if (json.texts("architectures").stream().anyMatch(known::contains)) {
                    folders.add(folder);
                } else {
                    System.err.println("SKIPPED: " + folder.getFileName() + ", of a family that is not known");
                }
            }
        }
        return folders.stream();
    }

    /** Forms of which there is no golden folder; see the README beside them. */
    static Stream<Path> ownFolders() throws IOException, URISyntaxException {
        Path own = Path.of(Objects.requireNonNull(GoldenModelsTest.class.getResource("/families"))
                .toURI());
        try (Stream<Path> all = Files.list(own)) {
            return all.filter(Golden::isIn).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource({"folders", "ownFolders"})
    void agreesWithTransformers(Path folder) throws IOException {
        try (CpuModel model = CpuModel.open(folder)) {
            for (Sequence sequence : Golden.read(folder).sequences()) {
                Trace trace = model.trace(sequence.input());
                assertClose(trace.logits(), sequence.logits());
                // Where the last state is of another width than the others, the file has but those before it.
                int states = sequence.hiddenStates().size();
                assertThat(states)
                        .isBetween(model.config().layers(), model.config().layers() + 1);
                assertThat(trace.hiddenStates().subList(0, states))
                        .zipSatisfy(sequence.hiddenStates(), GoldenModelsTest::assertClose);
                if (sequence.lastBlockOutput().isPresent()) {
                    assertClose(
                            trace.lastBlockOutput(), sequence.lastBlockOutput().get());
                }
                if (model.config().causal()) {
                    assertClose(model.logits(sequence.inputIds()), sequence.logits());
                    assertPiecesAgree(model, sequence);
                }
                if (sequence.greedy().isPresent()) {
                    assertGreedy(model, sequence.greedy().get());
                }
            }
        }
    }

    /** From where a row's own length and that of the whole sequence have the same rotary frequencies. */
    private static void assertPiecesAgree(CpuModel model, Sequence sequence) {
        int from = 0;
        if (model.config().positions() instanceof Positions.Rotary rotary) {
            RopeScaling scaling = rotary.scaling();
            if (scaling instanceof RopeScaling.Dynamic && scaling.lengthClass(sequence.length()) != 0) {
                return; // Cached keys keep the frequencies of their time, in transformers as here.
            }
            while (scaling.lengthClass(from + 1) != scaling.lengthClass(sequence.length())) {
                from++;
            }
        }
        int skipped = from * sequence.vocabularySize();
        float[] pieces = inPieces(model, sequence.inputIds());
        assertClose(
                Arrays.copyOfRange(pieces, skipped, pieces.length),
                Arrays.copyOfRange(sequence.logits(), skipped, pieces.length));
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
