package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.Node.Entry;
import dev.demitasse.recipes.language.Node.Mapping;
import dev.demitasse.recipes.language.Node.Nothing;
import dev.demitasse.recipes.language.Node.Sequence;
import dev.demitasse.recipes.language.Node.Text;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One {@code --set key=value}. The key is a path of keys with dots between; in a list, an index from 0 or a stage's id;
 * {@code *} is every key that is there. An empty value takes the key away. Naming a data entry sets its source and leaves
 * its length and samples.
 *
 * @param path the key's parts
 * @param value what is put there
 */
record Assignment(List<String> path, Node value, Origin origin) {
    static Assignment parse(String assignment, int index, Mistakes mistakes) {
        Origin origin = Origin.override(assignment, index);
        int equals = assignment.indexOf('=');
        if (equals <= 0) {
            mistakes.add(origin, "must be key=value, as data.test.length=256");
            return new Assignment(List.of(), new Nothing(origin), origin);
        }
        List<String> path = List.of(assignment.substring(0, equals).strip().split("\\.", -1));
        String written = assignment.substring(equals + 1).strip();
        boolean structured = written.startsWith("[") || written.startsWith("{");
        boolean nothing = written.isEmpty() || written.equals("null");
        Node plain = nothing ? new Nothing(origin) : new Text(written, origin);
        Node value = structured ? YamlReader.read(written, line -> origin, mistakes) : plain;
        return new Assignment(path, value, origin);
    }

    Node apply(Node root, Mistakes mistakes) {
        return path.isEmpty() ? root : set(root, 0, mistakes);
    }

    private Node set(Node node, int depth, Mistakes mistakes) {
        if (depth == path.size()) {
            return replace(node);
        }
        String part = path.get(depth);
        return switch (node) {
            case Mapping mapping -> inMapping(mapping, part, depth, mistakes);
            case Sequence sequence -> inSequence(sequence, part, depth, mistakes);
            case Nothing nothing -> inMapping(new Mapping(Map.of(), origin), part, depth, mistakes);
            case Text text -> inText(text, part, depth, mistakes);
        };
    }

    private Node inText(Text text, String part, int depth, Mistakes mistakes) {
        if (isDataEntry(depth)) {
            return inMapping((Mapping) Data.spelledOut(text), part, depth, mistakes);
        }
        mistakes.add(
                origin, "'%s' is one value, it has no '%s'".formatted(String.join(".", path.subList(0, depth)), part));
        return text;
    }

    private Mapping inMapping(Mapping mapping, String part, int depth, Mistakes mistakes) {
        if (!part.equals("*")) {
            Entry entry = mapping.entries().get(part);
            Node inner = entry == null ? new Nothing(origin) : entry.value();
            return mapping.with(part, set(inner, depth + 1, mistakes));
        }
        Map<String, Entry> changed = new LinkedHashMap<>();
        mapping.entries()
                .forEach((key, entry) ->
                        changed.put(key, new Entry(entry.key(), set(entry.value(), depth + 1, mistakes))));
        return new Mapping(changed, mapping.origin());
    }

    private Sequence inSequence(Sequence sequence, String part, int depth, Mistakes mistakes) {
        List<Node> elements = new ArrayList<>(sequence.elements());
        boolean found = false;
        for (int i = 0; i < elements.size(); i++) {
            if (part.equals("*") || part.equals(Integer.toString(i)) || part.equals(id(elements.get(i)))) {
                elements.set(i, set(elements.get(i), depth + 1, mistakes));
                found = true;
            }
        }
        if (!found) {
            List<String> ids = elements.stream()
                    .map(Assignment::id)
                    .filter(id -> !id.isEmpty())
                    .toList();
            mistakes.add(
                    origin,
                    "'%s' has no '%s'%s"
                            .formatted(String.join(".", path.subList(0, depth)), part, Suggestion.of(part, ids)));
        }
        return new Sequence(elements, sequence.origin());
    }

    private static String id(Node element) {
        return element instanceof Mapping mapping
                        && mapping.entries().get("id") instanceof Entry entry
                        && entry.value() instanceof Text text
                ? text.text()
                : "";
    }

    /** A path alone takes the place of a data entry's source, not of the whole entry. */
    private Node replace(Node old) {
        if (!(value instanceof Text text) || !isDataEntry(path.size()) || !(old instanceof Mapping entry)) {
            return value;
        }
        boolean lines = text.text().endsWith(".jsonl");
        List<String> dropped = new ArrayList<>(DataEntry.SOURCE_KEYS);
        dropped.remove(lines ? "field" : "separator");
        return entry.without(dropped).with((lines ? DataEntry.JSONL : DataEntry.TEXT).name(), text);
    }

    private boolean isDataEntry(int depth) {
        return depth == 2 && path.getFirst().equals("data");
    }
}
