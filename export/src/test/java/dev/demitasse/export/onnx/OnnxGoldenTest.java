package dev.demitasse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.onnx.OnnxNames;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Float32 graphs, run by ONNX Runtime, against what transformers computed for the same checkpoints. */
class OnnxGoldenTest {
    private static final float TOLERANCE = 5e-5f;

    @TempDir
    Path folder;

    @ParameterizedTest
    @MethodSource("dev.demitasse.export.onnx.GoldenDecoders#names")
    void agreesWithTransformers(String name) throws Exception {
        Path source = SharedData.require("golden/" + name);
        Golden golden = Golden.read(source);
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(source)) {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT.withHiddenStates(), file, Progress.SILENT);
            try (OrtDecoder decoder = new OrtDecoder(file, checkpoint.config())) {
                float worst = 0;
                for (Sequence sequence : golden.sequences()) {
                    OrtDecoder.Output output = decoder.run(sequence.inputIds());
                    worst = Math.max(worst, difference(output.logits(), sequence.logits()));
                    for (int i = 0; i < sequence.hiddenStates().size(); i++) {
                        float[] state = output.values().get(OnnxNames.hiddenState(i));
                        assertThat(difference(state, sequence.hiddenStates().get(i)))
                                .as("hidden state %d", i)
                                .isCloseTo(0, within(TOLERANCE));
                    }
                }
                System.out.printf("%s: logits of ONNX Runtime within %.2e of transformers%n", name, worst);
                assertThat(worst).isLessThan(TOLERANCE);
                plainLoopsAgree(checkpoint, golden.sequences().getLast());
                decodesStepByStep(decoder, checkpoint, golden.sequences());
                decodesBatches(decoder, golden.sequences());
            }
        }
    }

    /** The cache: a prompt, three tokens at once, then one by one, gives what one pass over all gives. */
    private static void decodesStepByStep(OrtDecoder decoder, Checkpoint checkpoint, List<Sequence> sequences)
            throws Exception {
        int vocabulary = checkpoint.config().vocabularySize();
        for (Sequence sequence : sequences) {
            int[] ids = sequence.inputIds();
            int whole = OrtDecoder.lengthClass(checkpoint.config(), ids.length);
            OrtDecoder.Output past = OrtDecoder.NOTHING;
            int at = 0;
            while (at < ids.length) {
                int end = at + (at == 0 ? 5 : at == 5 ? 3 : 1);
                past = decoder.next(ids, at, end, past);
                if (OrtDecoder.lengthClass(checkpoint.config(), end) == whole) {
                    float[] expected = Arrays.copyOfRange(sequence.logits(), at * vocabulary, end * vocabulary);
                    assertThat(difference(past.logits(), expected))
                            .as("token %d", at)
                            .isLessThan(TOLERANCE);
                }
                at = end;
            }
        }
    }

    /** The loops that graphs of other forms are held to agree with transformers as well. */
    private static void plainLoopsAgree(Checkpoint checkpoint, Sequence sequence) {
        double[][] logits = new PlainDecoder(checkpoint).logits(sequence.inputIds());
        float[] flat = new float[sequence.logits().length];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = (float) logits[i / sequence.vocabularySize()][i % sequence.vocabularySize()];
        }
        assertThat(difference(flat, sequence.logits())).as("plain loops").isLessThan(TOLERANCE);
    }

    /** Two rows of unequal length, the shorter one padded on its left. */
    private static void decodesBatches(OrtDecoder decoder, List<Sequence> sequences) throws Exception {
        int[] whole = sequences.get(0).inputIds();
        Sequence cut = sequences.get(1);
        int padding = 7;
        int length = whole.length;
        int[] padded = new int[length];
        System.arraycopy(cut.inputIds(), 0, padded, padding, length - padding);
        long[][] mask = new long[2][length];
        Arrays.fill(mask[0], 1);
        Arrays.fill(mask[1], padding, length, 1);
        float[] logits = decoder.run(new int[][] {whole, padded}, mask, OrtDecoder.NOTHING)
                .logits();
        int vocabulary = cut.vocabularySize();
        float[] first = Arrays.copyOf(logits, length * vocabulary);
        assertThat(difference(first, sequences.get(0).logits())).isLessThan(TOLERANCE);
        float[] second = Arrays.copyOfRange(logits, (length + padding) * vocabulary, 2 * length * vocabulary);
        assertThat(difference(second, Arrays.copyOf(cut.logits(), (length - padding) * vocabulary)))
                .isLessThan(TOLERANCE);
    }

    private static float difference(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        float largest = 0;
        for (int i = 0; i < actual.length; i++) {
            float difference = Math.abs(actual[i] - expected[i]);
            largest = difference <= largest ? largest : difference;
        }
        return largest;
    }
}
