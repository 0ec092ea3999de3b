package dev.demitasse.datasets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.chat.ChatTemplate;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TextSourceTest {
    @TempDir
    Path folder;

    @Test
    void aFileWithoutSeparatorIsOneDocumentAsItIs() throws IOException {
        String text = "\n A line.\r\n\n\nAnother, with é, 語 and 😀. \n";
        assertThat(documents(new TextSource.TextFile(write(text)))).containsExactly(text);
    }

    @Test
    void aByteOrderMarkIsNotText() throws IOException {
        assertThat(documents(new TextSource.TextFile(write("\uFEFFText")))).containsExactly("Text");
    }

    @Test
    void documentsBetweenSeparatorsLoseTheWhiteSpaceAroundThemAndEmptyOnesAreLeftOut() throws IOException {
        Path file = write("<|end|>\n One.\n\nStill one. \n<|end|>\n\n<|end|>Two.\n<|end|>\n");
        assertThat(documents(new TextSource.TextFile(file, Optional.of("<|end|>"))))
                .containsExactly("One.\n\nStill one.", "Two.");
    }

    @Test
    void aBlankLineSeparates() throws IOException {
        Path file = write("\n\n\nOne.\nStill one.\n\n\n\n\nTwo.\n\nThree.");
        assertThat(documents(new TextSource.TextFile(file, Optional.of("\n\n"))))
                .containsExactly("One.\nStill one.", "Two.", "Three.");
    }

    /** Documents of all lengths around the sizes of the buffers, so that separators lie across every boundary. */
    @ParameterizedTest
    @ValueSource(strings = {"<|endoftext|>", "\n\n", "#"})
    void separatorsAcrossBufferBoundariesAreSeen(String separator) throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        List<String> expected = new ArrayList<>();
        int[] sizes = {1, 8191, 8192, 8193, 32766, 32767, 32768, 32769, 65535, 65536, 65537, 100_000};
        for (int repeat = 0; repeat < 6; repeat++) {
            for (int size : sizes) {
                expected.add(randomText(size - random.nextInt(Math.min(size, 14)), random));
            }
        }
        Path file = write(String.join(separator, expected));
        assertThat(documents(new TextSource.TextFile(file, Optional.of(separator))))
                .isEqualTo(expected);
    }

    @Test
    void piecesPutTogetherAreTheDocumentAndNoneIsLong() throws IOException {
        SplittableRandom random = new SplittableRandom(2);
        String text = randomText(300_000, random) + "😀".repeat(50_000) + " ".repeat(70_000) + "x".repeat(40_001);
        TextSource source = new TextSource.TextFile(write(text));
        try (Stream<TextPiece> stream = TextPieces.of(source)) {
            List<TextPiece> pieces = stream.toList();
            assertThat(pieces).allMatch(piece -> piece.text().length() <= PieceReader.PIECE);
            assertThat(pieces.stream().map(TextPiece::text).collect(Collectors.joining()))
                    .isEqualTo(text);
            assertThat(pieces.stream().filter(TextPiece::startsDocument)).hasSize(1);
            assertThat(pieces)
                    .noneMatch(piece -> Character.isLowSurrogate(piece.text().charAt(0)));
        }
        assertThat(documents(source)).containsExactly(text);
    }

    @Test
    void aBadByteIsNamedWithItsPosition() throws IOException {
        byte[] text = "é".repeat(50_000).getBytes(StandardCharsets.UTF_8);
        text[70_001] = (byte) 0xFF;
        Path file = Files.write(folder.resolve("bad.txt"), text);
        assertThatThrownBy(() -> documents(new TextSource.TextFile(file)))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("bad.txt: not UTF-8: byte 0xC3 at position 70,000");
    }

    @Test
    void aCharacterCutOffAtTheEndIsAnError() throws IOException {
        Path file = Files.write(folder.resolve("cut.txt"), new byte[] {'a', (byte) 0xE8, (byte) 0xAA});
        assertThatThrownBy(() -> documents(new TextSource.TextFile(file)))
                .hasMessageContaining("not UTF-8: byte 0xE8 at position 1");
    }

    @Test
    void utf16IsRecognized() throws IOException {
        Path file = Files.write(folder.resolve("wide.txt"), "\uFEFFwide".getBytes(StandardCharsets.UTF_16LE));
        assertThatThrownBy(() -> documents(new TextSource.TextFile(file))).hasMessageContaining("iconv -f UTF-16");
    }

    @Test
    void anEmptyOrMissingFileOrAFolderIsNamed() throws IOException {
        assertThatThrownBy(() -> documents(new TextSource.TextFile(write(""))))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("text.txt: the file is empty");
        assertThatThrownBy(() -> documents(new TextSource.TextFile(folder.resolve("nowhere.txt"))))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("nowhere.txt: there is no such file");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(folder, "text")))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("this is a folder");
    }

    @Test
    void jsonLinesYieldTheField() throws IOException {
        Path file =
                write("{\"text\": \"One\\nmore\", \"id\": 1}\r\n\n{\"id\": 2, \"text\": \"Two 😀\"}\n{\"text\": \"\"}");
        assertThat(documents(new TextSource.Jsonl(file, "text"))).containsExactly("One\nmore", "Two 😀");
    }

    @Test
    void aBadLineIsNamedByItsNumber() throws IOException {
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(write("{\"text\": \"a\"}\n\n{\"text\": \n"), "text")))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("text.txt:3: not JSON");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(write("{\"text\": \"a\"}\n{} {}\n"), "text")))
                .hasMessageContaining("text.txt:2: not JSON");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(write("[\"a\"]"), "text")))
                .hasMessageContaining("text.txt:1: a JSON object was expected, this is array");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(write("{\"text\": 7}"), "text")))
                .hasMessageContaining("text.txt:1: field 'text' must be a text, is 7");
    }

    @Test
    void aMissingFieldIsNamedWithThoseThereAre() throws IOException {
        Path file = write("{\"text\": \"a\"}\n{\"id\": 1, \"Txt\": \"b\"}\n");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(file, "text")))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(
                        "text.txt:2: there is no field 'text'; did you mean 'Txt'? there is: 'id', 'Txt'");
        assertThatThrownBy(() -> documents(new TextSource.Jsonl(file, "content")))
                .hasMessageContaining("there is no field 'content'; there is: 'text'");
    }

    @Test
    void fingerprintsTellContentAndParametersApart() throws IOException {
        Path file = write("{\"a\": \"x\", \"b\": \"y\"}");
        Path same = Files.copy(file, folder.resolve("copy.txt"));
        TextSource text = new TextSource.TextFile(file);
        assertThat(text.fingerprint())
                .hasSize(64)
                .isEqualTo(new TextSource.TextFile(same).fingerprint())
                .isNotEqualTo(new TextSource.TextFile(file, Optional.of("#")).fingerprint());
        String a = new TextSource.Jsonl(file, "a").fingerprint();
        assertThat(a).isNotEqualTo(new TextSource.Jsonl(file, "b").fingerprint());
        String before = text.fingerprint();
        Files.writeString(file, "{\"a\": \"x\", \"b\": \"z\"}");
        assertThat(text.fingerprint()).isNotEqualTo(before);
        assertThat(new TextSource.Stories(1, 5).fingerprint())
                .isEqualTo(new TextSource.Stories(1, 5).fingerprint())
                .isNotEqualTo(new TextSource.Stories(2, 5).fingerprint())
                .isNotEqualTo(new TextSource.Stories(1, 6).fingerprint());
    }

    private Path write(String text) throws IOException {
        return Files.writeString(folder.resolve("text.txt"), text);
    }

    static List<String> documents(TextSource source) {
        try (Stream<String> documents = source.documents()) {
            return documents.toList();
        }
    }

    /** Words and lines, no blank lines, no white space at the ends, no '#' and no '<'. */
    private static String randomText(int length, SplittableRandom random) {
        StringBuilder text = new StringBuilder(length);
        while (text.length() < length) {
            int kind = random.nextInt(12);
            boolean afterSpace = text.isEmpty() || Character.isWhitespace(text.charAt(text.length() - 1));
            if (kind == 0 && !afterSpace && text.length() < length - 1) {
                text.append(random.nextInt(8) == 0 ? '\n' : ' ');
            } else {
                text.append("aehrst,語é|".charAt(random.nextInt(10)));
            }
        }
        return text.toString();
    }

    /** A line's messages become the document that the model's chat template makes of them. */
    @Test
    void conversationsAreRendered() throws IOException {
        Path file = write("{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}\n{\"messages\": [{}]}\n");
        ChatTemplate template = new ChatTemplate(
                file,
                "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}",
                Map.of("bos_token", "<s>"));
        TextSource kept = new TextSource.Conversations(file, "messages", Optional.of(template), false);
        TextSource dropped = new TextSource.Conversations(file, "messages", Optional.of(template), true);
        try (Stream<String> documents = kept.documents()) {
            assertThat(documents.findFirst()).contains("<s>user: Hi;");
        }
        try (Stream<String> documents = dropped.documents()) {
            assertThat(documents.findFirst()).contains("user: Hi;");
        }
        assertThatThrownBy(() -> documents(kept)).hasMessageContaining(":2").hasMessageContaining("role");
        TextSource without = new TextSource.Conversations(file, "messages", Optional.empty(), false);
        assertThatThrownBy(() -> documents(without)).hasMessageContaining("chat template");
    }
}
