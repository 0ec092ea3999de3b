package dev.demitasse.datasets.stories;

import java.util.List;
import java.util.SplittableRandom;

/** Tells stories, one after another, the same ones for the same seed. */
public final class StoryGenerator {
    private final SplittableRandom random;

    public StoryGenerator(long seed) {
        random = new SplittableRandom(seed);
    }

    /** The next story. */
    public String next() {
        String name = pick(List.of("Mia", "Tom", "Ada", "Finn", "Nora", "Otto"));
        String thing = pick(List.of("ball", "kite", "boat", "drum", "hat", "cup"));
        String place = pick(List.of("the park", "the forest", "the river", "the farm", "the beach"));
        return "One day %s lost a %s near %s. %s looked for it all day. In the evening %s found the %s. %s was happy."
                .formatted(name, thing, place, name, name, thing, name);
    }

    private String pick(List<String> choices) {
        return choices.get(random.nextInt(choices.size()));
    }
}
