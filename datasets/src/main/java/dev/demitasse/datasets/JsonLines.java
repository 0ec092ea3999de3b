package dev.demitasse.datasets;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.chat.Message;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/** One text field of each line of a JSON Lines file. Blank lines and empty texts are passed over; every error names the line. */
final class JsonLines implements Iterator<String> {
    private static final ObjectReader JSON =
            new ObjectMapper().reader().with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final int LONGEST_LINE = 1 << 26;

    private final Optional<ChatTemplate> template;
    private final Path path;
    private final String field;
    private final Reader reader;
    private final StringBuilder pending = new StringBuilder();
    private final char[] buffer = new char[1 << 13];
    private boolean exhausted;
    private long line;
    private @Nullable String next;

    JsonLines(Path path, String field, Reader reader) {
        this(path, field, reader, Optional.empty());
    }

    /** @param template renders the field's messages; without one it is a text */
    JsonLines(Path path, String field, Reader reader, Optional<ChatTemplate> template) {
        this.template = template;
        this.path = path;
        this.field = field;
        this.reader = reader;
    }

    @Override
    public boolean hasNext() {
        while (next == null && !(exhausted && pending.isEmpty())) {
            String text = readLine();
            line++;
            String value = text.isBlank() ? "" : text(text);
            next = value.isEmpty() ? null : value;
        }
        return next != null;
    }

    @Override
    public String next() {
        if (!hasNext() || next == null) {
            throw new NoSuchElementException();
        }
        String text = next;
        next = null;
        return text;
    }

    private String readLine() {
        int searched = 0;
        while (true) {
            int end = pending.indexOf("\n", searched);
            if (end >= 0 || exhausted) {
                String text = pending.substring(0, end >= 0 ? end : pending.length());
                pending.delete(0, end >= 0 ? end + 1 : pending.length());
                return text;
            }
            searched = pending.length();
            if (searched > LONGEST_LINE) {
                line++;
                throw wrong(
                        "is longer than %,d characters".formatted(LONGEST_LINE),
                        "check that the file holds one JSON object per line");
            }
            fill();
        }
    }

    private void fill() {
        try {
            int count = reader.read(buffer);
            if (count < 0) {
                exhausted = true;
            } else {
                pending.append(buffer, 0, count);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String text(String json) {
        JsonNode object;
        try {
            object = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw wrong("not JSON: " + e.getOriginalMessage(), "a .jsonl file holds one whole JSON object per line");
        }
        if (!object.isObject()) {
            throw wrong(
                    "a JSON object was expected, this is %s"
                            .formatted(object.getNodeType().name().toLowerCase(Locale.ROOT)),
                    "a .jsonl file holds one JSON object per line");
        }
        JsonNode value = object.path(field);
        if (value.isMissingNode()) {
            throw wrong("there is no field '" + field + "'", advice(object));
        }
        if (template.isPresent()) {
            return conversation(value, template.get());
        }
        if (!value.isTextual()) {
            throw wrong(
                    "field '%s' must be a text, is %s".formatted(field, shortened(value.toString())),
                    "name a field that holds text");
        }
        return value.textValue();
    }

    private String conversation(JsonNode value, ChatTemplate chat) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode turn : value) {
            if (!turn.path("role").isTextual() || !turn.path("content").isTextual()) {
                throw wrong(
                        "field '%s' holds %s".formatted(field, shortened(turn.toString())),
                        "a message has a role and a content, both texts");
            }
            messages.add(new Message(
                    turn.path("role").textValue(), turn.path("content").textValue()));
        }
        if (!value.isArray() || messages.isEmpty()) {
            throw wrong(
                    "field '%s' must be a list of messages, is %s".formatted(field, shortened(value.toString())),
                    "name a field that holds a conversation");
        }
        try {
            return chat.render(messages, false);
        } catch (InvalidRequestException e) {
            throw wrong(e.getMessage(), "mend the line, or leave it out");
        }
    }

    private String advice(JsonNode object) {
        List<String> names = StreamSupport.stream(
                        Spliterators.spliteratorUnknownSize(object.fieldNames(), Spliterator.ORDERED), false)
                .toList();
        if (names.isEmpty()) {
            return "the object has no fields at all";
        }
        String all = names.stream().limit(20).map(name -> "'" + name + "'").collect(Collectors.joining(", "));
        Optional<String> near = names.stream()
                .filter(name -> Spelling.distance(name, field) <= Math.max(1, field.length() / 3))
                .min(Comparator.comparingInt(name -> Spelling.distance(name, field)));
        return near.map(name -> "did you mean '" + name + "'? ").orElse("") + "there is: " + all;
    }

    private InvalidRequestException wrong(String problem, String advice) {
        return new InvalidRequestException(path + ":" + line, problem, advice);
    }

    private static String shortened(String text) {
        return text.length() <= 40 ? text : text.substring(0, 40) + "…";
    }
}
