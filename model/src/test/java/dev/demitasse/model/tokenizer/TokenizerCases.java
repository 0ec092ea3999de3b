package dev.demitasse.model.tokenizer;

import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** llama.cpp's vocabulary tests: texts and the ids that the model's own tokenizer gives them. */
public final class TokenizerCases {
    private TokenizerCases() {}

    /** A text and its ids, without special tokens. */
    public record Case(String text, int[] ids) {}

    /** The cases of one of the shared tokenizers. */
    public static List<Case> of(String name) throws IOException {
        Path folder = SharedData.require("data/tokenizers/" + name);
        String[] texts = Files.readString(folder.resolve("cases.inp")).split("\n__ggml_vocab_test__\n", -1);
        List<String> lines = Files.readAllLines(folder.resolve("cases.out"));
        List<Case> cases = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            int[] ids = Arrays.stream(lines.get(i).trim().split(" "))
                    .filter(id -> !id.isEmpty())
                    .mapToInt(Integer::parseInt)
                    .toArray();
            cases.add(new Case(texts[i], ids));
        }
        return cases;
    }
}
