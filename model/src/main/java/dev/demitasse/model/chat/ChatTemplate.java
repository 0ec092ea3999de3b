package dev.demitasse.model.chat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The Jinja template by which a model was taught conversations, as transformers' {@code apply_chat_template} renders it:
 * blocks trimmed, {@code messages}, {@code add_generation_prompt} and the special tokens as variables,
 * {@code raise_exception}, {@code strftime_now} and {@code tojson} as functions. A template comes with a model that
 * nobody vouches for, so it runs in a {@link Sandbox}. The text holds special tokens already: encode it without adding
 * any.
 */
public final class ChatTemplate {
    private final Object where;
    private final String source;
    private final Map<String, String> specialTokens;

    /**
     * @param where where the template is from, for errors
     * @param source the template's text
     * @param specialTokens what it knows by name: {@code bos_token}, {@code eos_token} …
     */
    public ChatTemplate(Object where, String source, Map<String, String> specialTokens) {
        this.where = where;
        this.source = source;
        this.specialTokens = Map.copyOf(specialTokens);
    }

    /** The template's text. */
    public String source() {
        return source;
    }

    /** The special tokens that it knows, by name. */
    public Map<String, String> specialTokens() {
        return specialTokens;
    }

    /**
     * A conversation's text.
     *
     * @param addGenerationPrompt whether the text ends where the model's answer begins
     * @throws dev.demitasse.model.InvalidRequestException if the template refuses the messages
     * @throws dev.demitasse.model.MalformedModelException if it is broken, or exceeds the time or memory it is given
     */
    public String render(List<Message> messages, boolean addGenerationPrompt) {
        Map<String, Object> variables = new LinkedHashMap<>(specialTokens);
        List<Map<String, Object>> turns = new ArrayList<>();
        for (Message message : messages) {
            Map<String, Object> turn = new LinkedHashMap<>();
            turn.put("role", message.role());
            turn.put("content", message.content());
            turns.add(turn);
        }
        variables.put("messages", turns);
        variables.put("add_generation_prompt", addGenerationPrompt);
        return new Sandbox(where, source).render(variables);
    }
}
