package dev.demitasse.recipes.run;

import dev.demitasse.infer.generate.Generator;
import dev.demitasse.model.tokenizer.TextStream;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.util.function.Consumer;

/** Lets a model write text. */
public final class Writing {
    private Writing() {}

    /**
     * Gives {@code prompt} to {@code onText}, then what the model appends to it, as it comes, in whole characters.
     *
     * @param prompt empty for what the model itself begins with
     * @param limit most tokens to append
     */
    public static void stream(
            Generator writer, Tokenizer tokenizer, String prompt, int limit, Consumer<String> onText) {
        int[] tokens = tokenizer.encodeWithSpecial(prompt);
        TextStream text = tokenizer.stream();
        if (!prompt.isEmpty()) {
            for (int token : tokens) {
                onText.accept(text.append(token));
            }
        } else {
            // A tokenizer may put a space before an empty text; the model's own beginning has none.
            tokens = tokenizer.beginToken().isPresent()
                    ? new int[] {tokenizer.beginToken().getAsInt()}
                    : new int[0];
        }
        writer.generate(tokens, limit, token -> onText.accept(text.append(token)));
        onText.accept(text.finish());
    }

    /**
     * Gives what the model answers to {@code conversation} to {@code onText}, as it comes.
     *
     * @param conversation as the model's chat template renders it, special tokens and all
     * @param limit most tokens to answer with
     */
    public static void answer(
            Generator writer, Tokenizer tokenizer, String conversation, int limit, Consumer<String> onText) {
        int[] tokens = tokenizer.encode(conversation);
        TextStream text = tokenizer.stream();
        for (int token : tokens) {
            text.append(token);
        }
        writer.generate(tokens, limit, token -> onText.accept(text.append(token)));
        onText.accept(text.finish());
    }
}
