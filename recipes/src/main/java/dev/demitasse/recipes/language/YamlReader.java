package dev.demitasse.recipes.language;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import dev.demitasse.recipes.language.Node.Entry;
import dev.demitasse.recipes.language.Node.Mapping;
import dev.demitasse.recipes.language.Node.Nothing;
import dev.demitasse.recipes.language.Node.Sequence;
import dev.demitasse.recipes.language.Node.Text;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Reads YAML into {@link Node}s. Anchors and aliases are refused (a few lines of them can stand for gigabytes), and so is
 * nesting deeper than any recipe has.
 */
final class YamlReader {
    private static final int MAXIMUM_DEPTH = 16;
    private static final YAMLFactory YAML = new YAMLFactory();

    private final YAMLParser parser;
    private final IntFunction<Origin> places;
    private final Mistakes mistakes;

    private YamlReader(YAMLParser parser, IntFunction<Origin> places, Mistakes mistakes) {
        this.parser = parser;
        this.places = places;
        this.mistakes = mistakes;
    }

    /**
     * Reads the one document of {@code text}. What is not YAML is a mistake, and reads as nothing.
     *
     * @param places the origin of a line, from 1
     */
    static Node read(String text, IntFunction<Origin> places, Mistakes mistakes) {
        try (YAMLParser parser = YAML.createParser(text)) {
            YamlReader reader = new YamlReader(parser, places, mistakes);
            if (parser.nextToken() == null) {
                return new Nothing(places.apply(1));
            }
            Node node = reader.node(0);
            if (parser.nextToken() != null) {
                mistakes.add(reader.here(), "a second document starts here; a recipe is one document");
            }
            return node;
        } catch (JsonProcessingException e) {
            JsonLocation location = e.getLocation();
            int line = location == null ? 1 : Math.max(1, location.getLineNr());
            mistakes.add(places.apply(line), "not YAML: " + firstLine(e.getOriginalMessage()));
            return new Nothing(places.apply(line));
        } catch (IOException e) {
            throw new IllegalStateException("reading from memory", e);
        }
    }

    private static String firstLine(@Nullable String message) {
        return message == null
                ? "it does not parse"
                : message.strip().lines().findFirst().orElse("it does not parse");
    }

    private Origin here() {
        return places.apply(Math.max(1, parser.currentTokenLocation().getLineNr()));
    }

    private Node node(int depth) throws IOException {
        Origin origin = here();
        if (parser.isCurrentAlias() || parser.getObjectId() != null) {
            mistakes.add(origin, "anchors and aliases (& and *) are not part of the recipe language; write it out");
        }
        if (depth > MAXIMUM_DEPTH) {
            mistakes.add(origin, "nested over %d deep; no recipe is".formatted(MAXIMUM_DEPTH));
            parser.skipChildren();
            return new Nothing(origin);
        }
        JsonToken token = parser.currentToken();
        if (token == JsonToken.START_OBJECT) {
            return mapping(origin, depth);
        }
        if (token == JsonToken.START_ARRAY) {
            List<Node> elements = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                elements.add(node(depth + 1));
            }
            return new Sequence(elements, origin);
        }
        return token == JsonToken.VALUE_NULL ? new Nothing(origin) : new Text(parser.getText(), origin);
    }

    private Mapping mapping(Origin origin, int depth) throws IOException {
        Map<String, Entry> entries = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            Origin place = here();
            String key = parser.currentName();
            parser.nextToken();
            Entry before = entries.putIfAbsent(key, new Entry(place, node(depth + 1)));
            if (before != null) {
                mistakes.add(
                        place,
                        "'%s' stands twice; the first is at %s"
                                .formatted(key, before.key().where()));
            }
        }
        return new Mapping(entries, origin);
    }
}
