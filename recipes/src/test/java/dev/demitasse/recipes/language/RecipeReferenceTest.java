package dev.demitasse.recipes.language;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** docs/recipes.md tells every key, as the code has it; {@code -Ddocs.write=true} writes its tables anew. */
class RecipeReferenceTest {
    private static final Path DOCUMENT = Path.of("../docs/recipes.md");
    private static final String MARK = "run it with -Ddocs.write=true. -->\n";

    @Test
    void theReferenceIsWhatTheCodeSays() throws IOException {
        String text = Files.readString(DOCUMENT);
        int start = text.indexOf(MARK) + MARK.length();
        assertThat(start).isGreaterThan(MARK.length());
        if (Boolean.getBoolean("docs.write")) {
            AtomicFile.write(DOCUMENT, text.substring(0, start) + reference());
            return;
        }
        assertThat(text.substring(start)).isEqualTo(reference());
    }

    /** A default is what its key accepts: it reads, and is written to recipe.lock.yaml as something that reads again. */
    @Test
    void everyDefaultCanBeWrittenInARecipe() {
        for (Section section : RecipeReader.SECTIONS) {
            section.keys().forEach(RecipeReferenceTest::readsItsDefault);
        }
    }

    private static <T> void readsItsDefault(Key<T> key) {
        key.otherwise().ifPresent(text -> {
            Origin nowhere = new Origin("", 0, Path.of(""));
            T value = key.kind().reader().apply(new Node.Text(text, nowhere));
            String written = String.valueOf(key.kind().writer().apply(value)).replaceAll("[\\[\\]]", "");
            assertThat(key.kind().reader().apply(new Node.Text(written, nowhere)))
                    .as(key.name())
                    .isEqualTo(value);
        });
    }

    private static String reference() {
        StringBuilder text = new StringBuilder();
        for (Section section : RecipeReader.SECTIONS) {
            text.append("\n### ").append(section.name()).append('\n');
            text.append(section.meaning()).append("\n\n");
            text.append("| key | holds | default | meaning |\n|---|---|---|---|\n");
            for (Key<?> key : section.keys()) {
                text.append("| `%s` | %s | %s | %s |\n"
                        .formatted(
                                key.name(),
                                key.kind().words(),
                                key.otherwise()
                                        .map(value -> "`" + value + "`")
                                        .orElse(key.required() ? "required" : ""),
                                key.meaning().replace("|", "\\|")));
            }
        }
        return text.toString();
    }
}
