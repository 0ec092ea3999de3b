package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encoders learn to find hidden tokens, alone and from a teacher, as MiniLM and TinyBERT were made. */
class EncoderTrainingTest {
    private static final int WORDS = 16;
    private static final int MASK = WORDS;

    @TempDir
    Path folder;

    private final Tokenizer tokenizer = tokenizer();

    /** In this language all words of a text are the same: whoever sees the others knows the one that is hidden. */
    @Test
    void learnsAndTeachesToFindHiddenTokens() throws IOException {
        TrainingOptions options = TrainingOptions.of(LossWeights.PRETRAIN, 5e-3, 120);
        TrainingReport taught = Training.run(
                job(new Student.Random(config(2), Optional.of(tokenizer)), Optional.empty(), options, "teacher"),
                Progress.SILENT);
        assertThat(taught.validationBefore().orElseThrow()).isCloseTo(Math.log(WORDS + 2), within(0.2));
        assertThat(taught.validationAfter().orElseThrow()).isLessThan(1);

        Path teacher = folder.resolve("teacher");
        ModelConfig small = config(1);
        TrainingOptions distil = TrainingOptions.of(new LossWeights(1, 0, 0.1, 2), 5e-3, 80);
        TrainingReport learnt = Training.run(
                job(new Student.LayersOf(teacher, small), Optional.of(teacher), distil, "student"), Progress.SILENT);
        double first = learnt.steps().getFirst().loss().kl();
        assertThat(learnt.steps().getLast().loss().kl()).isLessThan(0.5 * first);
        assertThat(learnt.validationAfter().orElseThrow()).isLessThan(1.5);
        try (Checkpoint written = Checkpoint.open(folder.resolve("student"))) {
            assertThat(written.config()).isEqualTo(small);
        }
    }

    @Test
    void aDecoderDoesNotTeachAnEncoder() throws IOException {
        Path decoder = TinyModels.write(folder.resolve("decoder"), TinyModels.config(32, 2, WORDS + 2), 1);
        TrainingOptions options = TrainingOptions.of(new LossWeights(1, 0, 0, 2), 5e-3, 2);
        TrainingJob job =
                job(new Student.Random(config(1), Optional.of(tokenizer)), Optional.of(decoder), options, "out");
        assertThatThrownBy(() -> Training.run(job, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("a decoder, the student an encoder");
    }

    private TrainingJob job(Student student, Optional<Path> teacher, TrainingOptions options, String name) {
        return new TrainingJob(
                student,
                teacher,
                windows(200, 1),
                Optional.of(windows(20, 2)),
                options,
                folder.resolve(name),
                folder.resolve("work-" + name));
    }

    /** The golden BERT's form with few words. */
    private static ModelConfig config(int layers) {
        try (Checkpoint golden = Checkpoint.open(SharedData.require("golden/bert_mlm"))) {
            return golden.config().withVocabularySize(WORDS + 2).withLayers(layers);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static TokenWindows windows(int count, long seed) {
        Random random = new Random(seed);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] window = new int[16];
            Arrays.fill(window, random.nextInt(WORDS));
            windows.add(window);
        }
        return TokenWindows.ofTokens("the same again", windows);
    }

    private static Tokenizer tokenizer() {
        String words = IntStream.range(0, WORDS)
                .mapToObj(id -> "\"%c\":%d".formatted('a' + id, id))
                .collect(Collectors.joining(","));
        String special = "{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,"
                + "\"rstrip\":false,\"normalized\":false,\"special\":true}";
        return Tokenizer.ofJson(Path.of("tokenizer.json"), """
                {"version":"1.0","added_tokens":[%s,%s],
                 "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
                               "strip_accents":null,"lowercase":true},
                 "pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,
                 "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
                 "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
                          "max_input_chars_per_word":100,"vocab":{%s,"[MASK]":%d,"[UNK]":%d}}}
                """.formatted(
                special.formatted(MASK, "[MASK]"), special.formatted(MASK + 1, "[UNK]"), words, MASK, MASK + 1));
    }
}
