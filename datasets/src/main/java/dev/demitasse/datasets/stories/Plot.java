package dev.demitasse.datasets.stories;

import java.util.List;

/**
 * What happens in a story, in the order in which it happens. What one beat says holds in those after it, because they
 * speak of the same things, and beats of one variant follow from what its earlier beats told.
 *
 * @param variants ways the story can go; each story takes one. Empty: there is one way only.
 */
record Plot(String name, List<Pick> picks, List<String> variants, List<Beat> beats) {
    Plot {
        picks = List.copyOf(picks);
        variants = List.copyOf(variants);
        beats = List.copyOf(beats);
    }

    /** A thing that the story is about: a row of the table {@code thing}s, with {@code mark} unless that is empty. */
    record Pick(String thing, String mark) {}

    /**
     * One step of the story, told in one of several ways.
     *
     * @param variant the variant it belongs to; empty if to all
     * @param optional left out half the time
     */
    record Beat(String variant, boolean optional, List<Template> tellings) {
        Beat {
            tellings = List.copyOf(tellings);
        }
    }
}
