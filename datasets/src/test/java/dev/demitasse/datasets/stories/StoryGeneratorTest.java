package dev.demitasse.datasets.stories;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class StoryGeneratorTest {
    private static final int MANY = 1500;

    @Test
    void theSameSeedTellsTheSameStories() {
        assertThat(stories(3, 50)).isEqualTo(stories(3, 50)).isNotEqualTo(stories(4, 50));
    }

    @Test
    void noTwoStoriesAreTheSame() {
        assertThat(new HashSet<>(stories(1, MANY))).hasSize(MANY);
        assertThat(stories(1, MANY)).doesNotContainAnyElementsOf(stories(2, MANY));
    }

    @Test
    void storiesAreShortAndTheirWordsFew() {
        Set<String> words = new HashSet<>();
        for (String story : stories(5, MANY)) {
            String[] all = story.split("[^A-Za-z']+");
            assertThat(all.length).as(story).isBetween(80, 300);
            Arrays.stream(all).map(word -> word.toLowerCase(Locale.ROOT)).forEach(words::add);
        }
        assertThat(words.size()).isBetween(900, 1400);
    }

    /** Capitals, articles, quotation marks, spaces, full stops; nothing left of the templates. */
    @Test
    void storiesAreProperlyWritten() {
        Pattern wrong = Pattern.compile(
                "[{}<>\\[\\]|@_;]|  | [.,!?]|[.!?] [a-z]|\\.\" [a-z]|\\b[Aa] [aeiouAEIOU]|\\b[Aa]n [^aeiouAEIOU]|,\\.|\\.\\.");
        for (String story : stories(6, MANY)) {
            Matcher matcher = wrong.matcher(story);
            assertThat(matcher.find()).as("%s in: %s", matcher, story).isFalse();
            assertThat(story).matches("(?s)[A-Z\"].*[.!?]\"?");
            for (String paragraph : story.split("\n")) {
                assertThat(paragraph.chars().filter(letter -> letter == '"').count() % 2)
                        .as(paragraph)
                        .isZero();
                assertThat(paragraph).as(story).matches("[A-Z\"].*[.!?]\"?");
            }
        }
    }

    /** What the story said at first is what it says later. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                // days of absence, coins in the purse, baskets of apples
                "go away for (\\w+) days.*When the (\\w+) days were over",
                "with (\\w+) silver coins.*I have lost my purse.*\"(\\w+) silver coins,\"",
                "bring in (\\w+) baskets.*there were (\\w+) full baskets",
                // the sound at night, the color of the thing lost, what the friend loves
                "something went \"([^\"]*)\\.\".*Again it went \"([^\"]*)\\.\"",
                "greatest treasure was an? (\\w+ \\w+)\\..*There lay the (\\w+ \\w+)\\.",
                "loved ([\\w ]+) more than anything in the world.*How did you know that I love ([\\w ]+) so much"
            })
    void whatWasSaidComesBack(String pattern) {
        int found = 0;
        for (String story : stories(7, 2 * MANY)) {
            Matcher matcher = Pattern.compile(pattern, Pattern.DOTALL).matcher(story);
            if (matcher.find()) {
                found++;
                assertThat(matcher.group(1).toLowerCase(Locale.ROOT))
                        .as(story)
                        .isEqualTo(matcher.group(2).toLowerCase(Locale.ROOT));
            }
        }
        assertThat(found).isPositive();
    }

    /** Every way of telling every beat can be told by some cast: no field, phrase or table is missing. */
    @Test
    void everySentenceCanBeTold() {
        Library library = Library.read();
        SplittableRandom random = new SplittableRandom(8);
        for (Plot plot : library.plots()) {
            for (Plot.Beat beat : plot.beats()) {
                assertThat(beat.tellings()).as(plot.name()).isNotEmpty();
                for (Template telling : beat.tellings()) {
                    for (int repeat = 0; repeat < 10; repeat++) {
                        assertThat(new Scene(library, plot.picks(), random).render(telling))
                                .as(plot.name())
                                .doesNotContainPattern("[{}<>\\[\\]|]");
                    }
                }
            }
            for (String variant : plot.variants()) {
                assertThat(plot.beats())
                        .as(plot.name())
                        .anyMatch(beat -> beat.variant().equals(variant));
            }
        }
        assertThat(library.plots()).hasSizeGreaterThanOrEqualTo(16);
    }

    @Test
    void templatesFillInAndSpellingCorrects() {
        assertThat(Spelling.correct("a  owl met a fox. it was a old \n one! \"hm.\" they ran."))
                .isEqualTo("An owl met a fox. It was an old\nOne! \"hm.\" They ran.");
        assertThat(Template.parse("{Hero.he} is <Happy>"))
                .isEqualTo(new Template.Sequence(List.of(
                        new Template.Slot("hero", "he", true),
                        new Template.Text(" is "),
                        new Template.Phrase("happy", true))));
    }

    private static List<String> stories(long seed, int count) {
        return Stream.generate(new StoryGenerator(seed)::next).limit(count).toList();
    }
}
