package dev.demitasse.datasets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.Split.Part;
import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SplitTest {
    @TempDir
    Path folder;

    @Test
    void partsAreDisjointCompleteAndOfTheSharesAskedFor() throws IOException {
        List<String> all =
                IntStream.range(0, 4000).mapToObj(i -> "document " + i).toList();
        TextSource source = source(all);
        Split split = new Split(0.1, 0.2, 42);
        List<String> train = TextSourceTest.documents(split.of(source, Part.TRAIN));
        List<String> validation = TextSourceTest.documents(split.of(source, Part.VALIDATION));
        List<String> test = TextSourceTest.documents(split.of(source, Part.TEST));
        List<String> together = new ArrayList<>(train);
        together.addAll(validation);
        together.addAll(test);
        assertThat(together).containsExactlyInAnyOrderElementsOf(all);
        // 5 standard deviations of a binomial
        assertThat(validation.size()).isCloseTo(400, within(95));
        assertThat(test.size()).isCloseTo(800, within(127));
    }

    @Test
    void aDocumentStaysInItsPartWhenOthersCome() throws IOException {
        Split split = new Split(0.2, 0.2, 1);
        List<String> some = IntStream.range(0, 100).mapToObj(i -> "text " + i).toList();
        List<String> more = IntStream.range(-50, 200).mapToObj(i -> "text " + i).toList();
        List<String> before = TextSourceTest.documents(split.of(source(some), Part.TEST));
        List<String> after = TextSourceTest.documents(split.of(source(more), Part.TEST));
        assertThat(after).containsAll(before);
        assertThat(after.stream().filter(some::contains)).containsExactlyElementsOf(before);
    }

    @Test
    void anotherSeedIsAnotherDivision() throws IOException {
        TextSource source =
                source(IntStream.range(0, 200).mapToObj(i -> "text " + i).toList());
        TextSource one = new Split(0.3, 0.3, 1).of(source, Part.TEST);
        TextSource two = new Split(0.3, 0.3, 2).of(source, Part.TEST);
        assertThat(TextSourceTest.documents(one)).isNotEqualTo(TextSourceTest.documents(two));
        assertThat(one.fingerprint()).isNotEqualTo(two.fingerprint());
    }

    @Test
    void sharesThatLeaveNothingToTrainOnAreRefused() {
        assertThatThrownBy(() -> new Split(0.5, 0.5, 1)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new Split(-0.1, 0.5, 1)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new Split(Double.NaN, 0, 1)).isInstanceOf(InvalidRequestException.class);
    }

    private TextSource source(List<String> documents) throws IOException {
        Path file = Files.createTempFile(folder, "documents", ".txt");
        Files.writeString(file, documents.stream().collect(Collectors.joining("#")));
        return new TextSource.TextFile(file, Optional.of("#"));
    }
}
