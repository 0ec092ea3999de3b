package dev.demitasse.datasets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class WindowPackerTest {
    /** Separator of the file tinystories_10k.txt. */
    private static final Optional<String> END = Optional.of("<|endoftext|>");

    @TempDir
    Path folder;

    @Test
    void windowsCoverTheTokensOfAllDocumentsInOrder() throws IOException {
        Tokenizer tokenizer = tokenizer("data/models/stories3M");
        Path file =
                Files.writeString(folder.resolve("a.txt"), "One day, a cat sat.#The dog ran off.#\"Hi!\" said Sam.");
        TextSource source = new TextSource.TextFile(file, Optional.of("#"));
        int[] expected = TextSourceTest.documents(source).stream()
                .flatMapToInt(document -> Arrays.stream(tokenizer.encodeWithSpecial(document)))
                .toArray();
        assertThat(expected[0]).isEqualTo(1); // <s>, which Llama's tokenizer puts first
        TokenWindows windows = WindowPacker.pack(source, tokenizer, 4, Progress.SILENT);
        int[] actual = IntStream.range(0, windows.count())
                .flatMap(index -> Arrays.stream(windows.window(index)))
                .toArray();
        assertThat(actual).isEqualTo(Arrays.copyOf(expected, expected.length / 4 * 4));
    }

    /**
     * Cutting a long document for the tokenizer changes none of its tokens, and the bytes of its tokens are the bytes of
     * its text, one more where SentencePiece puts a space before it.
     */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama2", "llama3", "qwen2", "smollm2"})
    void aLongDocumentHasTheTokensAndBytesOfTheWholeText(String name) throws IOException {
        Tokenizer tokenizer = tokenizer("data/tokenizers/" + name);
        String grimm = Files.readString(SharedData.require("data/text/grimm.txt"));
        String text = "Ein Löwe, 語 und 😀 gingen\tin den\n\n Wald…\n" + grimm.substring(0, 70_000);
        Path file = Files.writeString(folder.resolve("grimm.txt"), text);
        int[] whole = tokenizer.encodeWithSpecial(text);
        TokenWindows windows = WindowPacker.pack(new TextSource.TextFile(file), tokenizer, 16, Progress.SILENT);
        int[] packed = IntStream.range(0, windows.count())
                .flatMap(index -> Arrays.stream(windows.window(index)))
                .toArray();
        assertThat(packed).isEqualTo(Arrays.copyOf(whole, whole.length / 16 * 16));
        TokenBytes bytes = TokenBytes.of(tokenizer);
        int space = name.equals("llama2") ? 1 : 0;
        assertThat(Arrays.stream(whole).mapToLong(bytes::of).sum()).isEqualTo(Files.size(file) + space);
    }

    @Test
    void bytesOfWindowsSumToTheFile() throws IOException {
        Tokenizer tokenizer = tokenizer("data/models/stories3M");
        Path file = SharedData.require("data/text/tinystories_10k.txt");
        TextSource source = new TextSource.TextFile(file, END);
        TokenWindows windows = WindowPacker.pack(source, tokenizer, 64, Progress.SILENT);
        long text = TextSourceTest.documents(source).stream()
                .mapToLong(document -> document.getBytes(StandardCharsets.UTF_8).length + 1)
                .sum();
        assertThat((double) windows.bytes()).isCloseTo(text, within(64 * 8.0)); // the tail that fills no window
        assertThat(windows.bytes(1)).isLessThan(windows.bytes());
        int half = windows.count() / 2;
        assertThat(windows.take(0, half).bytes()
                        + windows.take(half, windows.count()).bytes())
                .isEqualTo(windows.bytes());
    }

    @Test
    void samplesAreReproducibleDistinctAndInOrder() throws IOException {
        Tokenizer tokenizer = tokenizer("data/models/stories3M");
        TextSource source = new TextSource.TextFile(SharedData.require("data/text/tinystories_10k.txt"), END);
        TokenWindows windows = WindowPacker.pack(source, tokenizer, 32, 500, Progress.SILENT);
        assertThat(windows.count()).isEqualTo(500);
        TokenWindows sample = windows.sample(50, 7);
        assertThat(sample.fingerprint())
                .isEqualTo(windows.sample(50, 7).fingerprint())
                .isNotEqualTo(windows.sample(50, 8).fingerprint())
                .isNotEqualTo(windows.take(0, 50).fingerprint());
        assertThat(windows.sample(500, 3).fingerprint()).isEqualTo(windows.fingerprint());
        assertThatThrownBy(() -> windows.sample(501, 1))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("501 windows of 32 tokens were asked for, there are 500");
    }

    @Test
    void everyOtherWindowBegins() {
        TokenWindows text =
                TokenWindows.ofTokens("three", List.of(new int[] {5, 6}, new int[] {7, 8}, new int[] {9, 9}));
        TokenWindows begun = text.begunBy(1, 2);
        assertThat(List.of(begun.window(0), begun.window(1), begun.window(2)))
                .containsExactly(new int[] {1, 6}, new int[] {7, 8}, new int[] {1, 9});
        assertThat(text.window(0)).containsExactly(5, 6);
        assertThat(begun.fingerprint()).isNotEqualTo(text.fingerprint());
    }

    @Test
    void textThatFillsNoWindowIsTheUsersMistake() throws IOException {
        Tokenizer tokenizer = tokenizer("data/models/stories3M");
        Path file = Files.writeString(folder.resolve("short.txt"), "A cat.");
        TextSource source = new TextSource.TextFile(file);
        assertThatThrownBy(() -> WindowPacker.pack(source, tokenizer, 512, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("short.txt: a window needs 512 tokens, the whole text has");
        Files.writeString(file, " \n \n");
        assertThatThrownBy(() -> WindowPacker.pack(
                        new TextSource.TextFile(file, Optional.of("#")), tokenizer, 512, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("short.txt: there is no text in it");
    }

    private static Tokenizer tokenizer(String folder) throws IOException {
        Path path = SharedData.require(folder + "/tokenizer.json");
        return Tokenizer.ofJson(path, Files.readString(path));
    }
}
