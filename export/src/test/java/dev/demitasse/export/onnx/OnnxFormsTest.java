package dev.demitasse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.onnxruntime.OrtException;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.onnx.OnnxNames;
import dev.demitasse.model.progress.Progress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Graphs of every form in ONNX Runtime, against {@link PlainDecoder}'s loops. */
class OnnxFormsTest {
    private static final double TOLERANCE = 1e-4;
    private static final int LENGTH = 14;

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(Forms.class)
    void computesWhatTheConfigurationSays(Forms form) throws Exception {
        Checkpoint checkpoint = new MadeUpCheckpoint(form.config(), 7);
        try (OrtDecoder decoder = export(checkpoint)) {
            wholeSequences(decoder, checkpoint);
            stepByStep(decoder, checkpoint);
            paddedOnTheLeft(decoder, checkpoint);
        }
    }

    private static void wholeSequences(OrtDecoder decoder, Checkpoint checkpoint) throws OrtException {
        int[] ids = ids(checkpoint.config(), 1);
        PlainDecoder plain = new PlainDecoder(checkpoint);
        double[][] expected = plain.logits(ids);
        OrtDecoder.Output output = decoder.run(ids);
        for (int i = 0; i <= checkpoint.config().layers(); i++) {
            float[] state = output.values().get(OnnxNames.hiddenState(i));
            assertClose("hidden state " + i, state, plain.hiddenStates().get(i));
        }
        assertClose("logits", output.logits(), expected);
    }

    /**
     * A prompt, three tokens at once, then one by one: each gets the logits of a full pass over all up to it. Where other
     * frequencies serve the longer sequence, it starts again.
     */
    private static void stepByStep(OrtDecoder decoder, Checkpoint checkpoint) throws OrtException {
        int[] ids = ids(checkpoint.config(), 2);
        PlainDecoder plain = new PlainDecoder(checkpoint);
        int vocabulary = checkpoint.config().vocabularySize();
        OrtDecoder.Output past = OrtDecoder.NOTHING;
        int at = 0;
        while (at < LENGTH) {
            int end = at == 0 ? 4 : at == 4 ? 7 : at + 1;
            past = decoder.next(ids, at, end, past);
            float[] last = Arrays.copyOfRange(past.logits(), (end - at - 1) * vocabulary, (end - at) * vocabulary);
            assertClose("token " + end, last, last(plain.logits(Arrays.copyOf(ids, end))));
            at = end;
        }
    }

    /** Rows of unequal length in one batch, each as if it were alone; then one more token of each. */
    private static void paddedOnTheLeft(OrtDecoder decoder, Checkpoint checkpoint) throws OrtException {
        ModelConfig config = checkpoint.config();
        int padding = 5;
        int[] whole = ids(config, 3);
        int[] cut = Arrays.copyOf(ids(config, 4), LENGTH - padding);
        int[] padded = new int[LENGTH];
        System.arraycopy(cut, 0, padded, padding, cut.length);
        int prompt = LENGTH - 1;
        long[][] mask = ones(2, LENGTH);
        Arrays.fill(mask[1], 0, padding, 0);
        OrtDecoder.Output past = decoder.run(
                new int[][] {Arrays.copyOf(whole, prompt), Arrays.copyOf(padded, prompt)},
                Arrays.stream(mask).map(row -> Arrays.copyOf(row, prompt)).toArray(long[][]::new),
                OrtDecoder.NOTHING);
        PlainDecoder plain = new PlainDecoder(checkpoint);
        int vocabulary = config.vocabularySize();
        float[] logits = past.logits();
        assertClose("long row", Arrays.copyOf(logits, prompt * vocabulary), plain.logits(Arrays.copyOf(whole, prompt)));
        assertClose(
                "short row",
                Arrays.copyOfRange(logits, (prompt + padding) * vocabulary, 2 * prompt * vocabulary),
                plain.logits(Arrays.copyOf(cut, cut.length - 1)));
        int[][] last = {{whole[LENGTH - 1]}, {padded[LENGTH - 1]}};
        float[] next = decoder.run(last, mask, past).logits();
        if (OrtDecoder.lengthClass(config, prompt) == OrtDecoder.lengthClass(config, LENGTH)) {
            assertClose("next of the long row", Arrays.copyOf(next, vocabulary), last(plain.logits(whole)));
        }
        assertClose(
                "next of the short row", Arrays.copyOfRange(next, vocabulary, 2 * vocabulary), last(plain.logits(cut)));
    }

    /** Projections, experts' too, are multiplied in integers: near the float model, for any number of tokens. */
    @ParameterizedTest
    @EnumSource(
            value = Forms.class,
            names = {"GPT_2", "GPT_J", "GEMMA_2", "OPT_350M", "OPENELM", "MIXTRAL", "QWEN_2_MOE"})
    void roundedModelsStayNear(Forms form) throws Exception {
        MadeUpCheckpoint checkpoint = new MadeUpCheckpoint(form.config(), 8);
        int[] ids = ids(form.config(), 5);
        try (OrtDecoder decoder = export(checkpoint.rounded())) {
            OrtDecoder.Output prompt = decoder.run(Arrays.copyOf(ids, LENGTH - 1));
            OrtDecoder.Output next = decoder.run(new int[][] {{ids[LENGTH - 1]}}, ones(1, LENGTH), prompt);
            double[][] expected = new PlainDecoder(checkpoint).logits(ids);
            double square = 0;
            double error = 0;
            for (int i = 0; i < expected[0].length; i++) {
                double wanted = expected[LENGTH - 1][i];
                square += wanted * wanted;
                error += (next.logits()[i] - wanted) * (next.logits()[i] - wanted);
            }
            System.out.printf("%s INT8: relative error of the logits %.4f%n", form, Math.sqrt(error / square));
            assertThat(Math.sqrt(error / square)).isBetween(1e-6, 0.1);
        }
    }

    @Test
    void anEncoderIsRefused() {
        ModelConfig encoder = ModelConfig.of(new MadeUpCheckpoint.AnyFamily(Pairing.HALVES, false))
                .vocabularySize(50)
                .hiddenSize(8)
                .layers(1)
                .attention(Attention.of(1, 1, 8))
                .feedForward(FeedForward.plain(8, Activation.GELU, true))
                .positions(new Positions.None())
                .causal(false)
                .build();
        assertThatThrownBy(() -> export(new MadeUpCheckpoint(encoder, 1)))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("encoder");
    }

    private OrtDecoder export(Checkpoint checkpoint) throws Exception {
        Path file = folder.resolve("model.onnx");
        OnnxExport.write(checkpoint, OnnxOptions.DEFAULT.withHiddenStates(), file, Progress.SILENT);
        return new OrtDecoder(file, checkpoint.config());
    }

    private static int[] ids(ModelConfig config, long seed) {
        Random random = new Random(seed);
        return IntStream.generate(() -> random.nextInt(config.vocabularySize()))
                .limit(LENGTH)
                .toArray();
    }

    private static long[][] ones(int rows, int length) {
        long[][] mask = new long[rows][length];
        for (long[] row : mask) {
            Arrays.fill(row, 1);
        }
        return mask;
    }

    private static double[][] last(double[][] rows) {
        return Arrays.copyOfRange(rows, rows.length - 1, rows.length);
    }

    private static void assertClose(String what, float[] actual, double[][] expected) {
        double[] flat = Arrays.stream(expected).flatMapToDouble(Arrays::stream).toArray();
        assertThat(actual).as(what).hasSize(flat.length);
        double worst = 0;
        for (int i = 0; i < flat.length; i++) {
            double difference = Math.abs(actual[i] - flat[i]);
            worst = difference <= worst ? worst : difference;
        }
        assertThat(worst).as(what).isCloseTo(0, within(TOLERANCE));
    }
}
