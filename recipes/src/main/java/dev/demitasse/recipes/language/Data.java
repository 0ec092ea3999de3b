package dev.demitasse.recipes.language;

import dev.demitasse.recipes.language.DataEntry.Begin;
import dev.demitasse.recipes.language.DataEntry.Portion;
import dev.demitasse.recipes.language.Node.Mapping;
import dev.demitasse.recipes.language.Node.Nothing;
import dev.demitasse.recipes.language.Node.Text;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The texts of a recipe. Where several entries read the same source, each takes portions of its own, so that no text
 * that is measured with was learned from: test takes the test tenth, validation the validation tenth, train and
 * calibration what is left. An entry that has its source for itself reads all of it. Without a validation entry,
 * validation is the validation tenth of train's source.
 *
 * @param train what pretraining and distilling learn from
 * @param validation what training is watched with
 * @param calibration what pruning and quantizing run the model on; without an entry it is train's, 128 windows
 * @param test what models are measured with
 */
public record Data(
        Optional<DataEntry> train,
        Optional<DataEntry> validation,
        Optional<DataEntry> calibration,
        Optional<DataEntry> test) {

    private static final int DEFAULT_SAMPLES = 128;

    /** What a text is for. */
    private enum Use {
        TRAIN("pretraining and distilling learn from it", EnumSet.allOf(Portion.class)),
        VALIDATION("training is watched with it; without it, a tenth of train", EnumSet.of(Portion.VALIDATION)),
        CALIBRATION(
                "pruning and quantizing run the model on it; without it, 128 windows of train",
                EnumSet.allOf(Portion.class)),
        TEST("models are measured with it", EnumSet.of(Portion.TEST));

        private final Key<Node> key;
        private final Set<Portion> portions;

        Use(String meaning, Set<Portion> portions) {
            this.key = Key.optional(Kind.word(this), Kind.SECTION, meaning);
            this.portions = portions;
        }

        boolean heldOut() {
            return portions.size() == 1;
        }
    }

    static final Section SECTION =
            new Section("data", "The texts.", Use.TRAIN.key, Use.VALIDATION.key, Use.CALIBRATION.key, Use.TEST.key);

    static Data read(Fields fields, long seed) {
        Map<Use, DataEntry> entries = new EnumMap<>(Use.class);
        Map<Use, Fields> places = new EnumMap<>(Use.class);
        for (Use use : Use.values()) {
            if (fields.has(use.key)) {
                Fields entry = fields.section(use.key, DataEntry.SECTION, "data." + use.key.name(), Data::spelledOut);
                places.put(use, entry);
                entries.put(use, DataEntry.read(entry, seed, begin(use, entry)));
            }
        }
        checkOverlap(entries, places);
        DataEntry train = entries.get(Use.TRAIN);
        if (train != null) {
            entries.putIfAbsent(
                    Use.VALIDATION,
                    new DataEntry(train.source(), Set.of(), train.length(), Optional.of(DEFAULT_SAMPLES), Begin.TEXT));
            entries.putIfAbsent(
                    Use.CALIBRATION,
                    new DataEntry(
                            train.source(),
                            train.portions(),
                            train.length(),
                            Optional.of(DEFAULT_SAMPLES),
                            Begin.ALTERNATE));
        }
        return new Data(
                entry(Use.TRAIN, entries),
                entry(Use.VALIDATION, entries),
                entry(Use.CALIBRATION, entries),
                entry(Use.TEST, entries));
    }

    /** Calibration alone may change how windows begin: what is measured or learned from is the text as it is. */
    private static Begin begin(Use use, Fields entry) {
        if (use == Use.CALIBRATION) {
            return entry.find(DataEntry.BEGIN).orElse(Begin.ALTERNATE);
        }
        if (entry.has(DataEntry.BEGIN)) {
            entry.wrong(DataEntry.BEGIN, "is for calibration; a protocol says how windows are measured");
        }
        return Begin.TEXT;
    }

    /** A path alone is short for a text file. */
    static Node spelledOut(Node node) {
        return switch (node) {
            case Text text ->
                new Mapping(Map.of(DataEntry.TEXT.name(), new Node.Entry(text.origin(), text)), text.origin());
            case Mapping mapping -> mapping;
            case Nothing nothing -> nothing;
            case Node.Sequence sequence -> sequence;
        };
    }

    private static Optional<DataEntry> entry(Use use, Map<Use, DataEntry> entries) {
        return Optional.ofNullable(entries.get(use))
                .map(entry -> entry.portions().isEmpty() ? entry.withPortions(portions(use, entry, entries)) : entry);
    }

    /** What an entry without a {@code split} of its own reads. */
    private static Set<Portion> portions(Use use, DataEntry entry, Map<Use, DataEntry> entries) {
        boolean shared = entries.entrySet().stream()
                .anyMatch(other -> other.getKey() != use && other.getValue().sharesSource(entry));
        if (use.heldOut()) {
            return shared ? use.portions : EnumSet.allOf(Portion.class);
        }
        Set<Portion> left = EnumSet.allOf(Portion.class);
        entries.forEach((other, theirs) -> {
            if (other.heldOut() && theirs.sharesSource(entry)) {
                left.removeAll(theirs.portions().isEmpty() ? other.portions : theirs.portions());
            }
        });
        return left;
    }

    /** A written {@code split} must not make what is measured with overlap what is learned from. */
    private static void checkOverlap(Map<Use, DataEntry> entries, Map<Use, Fields> places) {
        places.forEach((heldOut, place) -> entries.forEach((use, entry) -> {
            DataEntry held = entries.get(heldOut);
            if (heldOut.heldOut() && !use.heldOut() && held != null && held.sharesSource(entry)) {
                Set<Portion> common = EnumSet.noneOf(Portion.class);
                common.addAll(held.portions().isEmpty() ? heldOut.portions : held.portions());
                common.retainAll(entry.portions());
                if (!common.isEmpty()) {
                    place.wrong("reads the same documents as data.%s (%s); give each a split of its own"
                            .formatted(use.key.name(), words(common)));
                }
            }
        }));
    }

    private static String words(Collection<Portion> portions) {
        return String.join(", ", portions.stream().map(Kind::word).toList());
    }

    /** The entries by name, those that are there. */
    public Map<String, DataEntry> entries() {
        Map<String, DataEntry> entries = new LinkedHashMap<>();
        train.ifPresent(entry -> entries.put("train", entry));
        validation.ifPresent(entry -> entries.put("validation", entry));
        calibration.ifPresent(entry -> entries.put("calibration", entry));
        test.ifPresent(entry -> entries.put("test", entry));
        return entries;
    }
}
