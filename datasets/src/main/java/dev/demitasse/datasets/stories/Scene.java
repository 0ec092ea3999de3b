package dev.demitasse.datasets.stories;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/** Who and what one story is about: fixed when it begins, so that everything said later fits what was said before. */
final class Scene {
    private static final List<String> ROLES = List.of("hero", "friend", "stranger");

    /** What phrases may speak of in every story. */
    private static final List<String> ALWAYS = List.of("keepsake", "family", "trait");

    private final Library library;
    private final SplittableRandom random;
    private final Map<String, Map<String, String>> things = new HashMap<>();
    private final Set<String> mentioned = new HashSet<>();

    Scene(Library library, List<Plot.Pick> picks, SplittableRandom random) {
        this.library = library;
        this.random = random;
        cast();
        for (String thing : ALWAYS) {
            things.put(thing, table(thing).draw("", random).draw(random));
        }
        for (Plot.Pick pick : picks) {
            things.put(
                    pick.thing(), table(pick.thing()).draw(pick.mark(), random).draw(random));
        }
    }

    /** Characters of different names and homes, half of them children, half of them animals. */
    private void cast() {
        Set<String> taken = new HashSet<>();
        for (String role : ROLES) {
            Map<String, String> character;
            do {
                character = character();
            } while (taken.contains(field(character, "")) || taken.contains(field(character, "home")));
            taken.add(field(character, ""));
            taken.add(field(character, "home"));
            things.put(role, character);
        }
    }

    /** Besides the columns of names and kinds: {@code full}, as in Otto the fox, and {@code who}, as in a fox. */
    private Map<String, String> character() {
        Table.Row kind = table("kind").draw(random.nextBoolean() ? "child" : "animal", random);
        Map<String, String> character = new HashMap<>(kind.draw(random));
        character.putAll(table("name").draw("", random).draw(random));
        if (kind.marks().contains("child")) {
            String gender = field(character, "gender");
            character.put("kind", gender);
            character.put("full", "little " + field(character, ""));
            character.put("who", "a " + gender + " from the village");
        } else {
            character.put("full", field(character, "") + " the " + field(character, "kind"));
            character.put("who", "a " + field(character, "kind"));
        }
        return character;
    }

    /** {@code template} with everything filled in; each choice is drawn. */
    String render(Template template) {
        return switch (template) {
            case Template.Text text -> text.text();
            case Template.Slot slot -> {
                Map<String, String> thing = things.get(slot.thing());
                if (thing == null) {
                    throw new IllegalStateException("the story has no " + slot.thing());
                }
                mentioned.add(slot.thing());
                yield capital(slot.capital(), field(thing, slot.field()));
            }
            case Template.Phrase phrase -> {
                List<Library.Wording> wordings = library.phrases().get(phrase.name());
                if (wordings == null) {
                    throw new IllegalStateException("there is no phrase " + phrase.name());
                }
                List<Library.Wording> fitting = wordings.stream()
                        .filter(wording -> wording.needs().isEmpty() || mentioned.contains(wording.needs()))
                        .toList();
                yield capital(phrase.capital(), render(draw(fitting).template()));
            }
            case Template.Choice choice -> render(draw(choice.alternatives()));
            case Template.Sequence sequence -> {
                List<String> parts = new ArrayList<>();
                sequence.parts().forEach(part -> parts.add(render(part)));
                yield String.join("", parts);
            }
        };
    }

    private <T> T draw(List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }

    private Table table(String thing) {
        Table table = library.tables().get(thing);
        if (table == null) {
            throw new IllegalStateException("there is no table of " + thing);
        }
        return table;
    }

    private static String field(Map<String, String> thing, String name) {
        String value = thing.get(name);
        if (value == null) {
            throw new IllegalStateException("no field '" + name + "' in " + thing);
        }
        return value;
    }

    private static String capital(boolean capital, String text) {
        return capital && !text.isEmpty() ? Character.toUpperCase(text.charAt(0)) + text.substring(1) : text;
    }
}
