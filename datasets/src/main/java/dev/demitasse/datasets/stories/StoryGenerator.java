package dev.demitasse.datasets.stories;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * Tells short stories for children in plain English, one after another, the same ones for the same seed.
 *
 * <p>A story is a plot in one of its variants, told about a cast, a place and things that are drawn when it begins. So
 * what comes late in a story follows from what came early: names, homes and favourite foods return, a warning comes
 * true, what was lost is found where the last clue pointed. A model that has learned this predicts better than one that
 * only knows which words stand beside each other.
 */
public final class StoryGenerator {
    private final Library library = Library.read();
    private final SplittableRandom random;

    public StoryGenerator(long seed) {
        random = new SplittableRandom(seed);
    }

    /** The next story: one or two paragraphs of together about 80 to 250 words, a line end between paragraphs. */
    public String next() {
        // A generator of its own for each story keeps one story's draws from shifting all later ones.
        SplittableRandom own = random.split();
        List<Plot> plots = library.plots();
        return tell(plots.get(own.nextInt(plots.size())), own);
    }

    private String tell(Plot plot, SplittableRandom own) {
        Scene scene = new Scene(library, plot.picks(), own);
        String variant = plot.variants().isEmpty()
                ? ""
                : plot.variants().get(own.nextInt(plot.variants().size()));
        String told = plot.beats().stream()
                .filter(beat -> beat.variant().isEmpty() || beat.variant().equals(variant))
                .filter(beat -> !beat.optional() || own.nextBoolean())
                .map(beat -> scene.render(
                        beat.tellings().get(own.nextInt(beat.tellings().size()))))
                .collect(Collectors.joining(" "));
        return Spelling.correct(told);
    }
}
