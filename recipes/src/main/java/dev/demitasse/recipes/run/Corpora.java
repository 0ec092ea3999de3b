package dev.demitasse.recipes.run;

import dev.demitasse.datasets.Split;
import dev.demitasse.datasets.TextSource;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowPacker;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.recipes.language.Data;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.DataEntry.Portion;
import dev.demitasse.recipes.language.DataEntry.Source;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/** A recipe's texts as token windows, each read when it is first asked for. */
final class Corpora {
    /** Nine tenths to learn from and to watch with, one to measure with; see {@link Data}. */
    private static final double TENTH = 0.1;

    private final Data data;
    private final long seed;
    private final Progress progress;
    private final Map<DataEntry, TokenWindows> windows = new HashMap<>();
    private final Map<TextSource, String> fingerprints = new HashMap<>();

    Corpora(Data data, long seed, Progress progress) {
        this.data = data;
        this.seed = seed;
        this.progress = progress;
    }

    /** A hash of what {@code entry} reads: equal hashes, equal text. */
    String fingerprint(DataEntry entry) {
        return String.join(
                " ",
                fingerprints.computeIfAbsent(source(entry), TextSource::fingerprint),
                Integer.toString(entry.length()),
                entry.samples().map(Object::toString).orElse("all"),
                entry.begin().name());
    }

    /** The documents that {@code entry} reads. */
    TextSource source(DataEntry entry) {
        return source(entry, Optional.empty());
    }

    private TextSource source(DataEntry entry, Optional<Tokenizer> tokenizer) {
        TextSource whole = switch (entry.source()) {
            case Source.Text text -> new TextSource.TextFile(text.path(), Optional.of(text.separator()));
            case Source.Jsonl jsonl -> new TextSource.Jsonl(jsonl.path(), jsonl.field());
            case Source.Conversations conversations ->
                new TextSource.Conversations(
                        conversations.path(),
                        conversations.field(),
                        tokenizer.flatMap(Tokenizer::chatTemplate),
                        tokenizer.isPresent() && tokenizer.get().beginToken().isPresent());
            case Source.Stories stories -> new TextSource.Stories(stories.seed(), stories.count());
        };
        if (entry.portions().equals(EnumSet.allOf(Portion.class))) {
            return whole;
        }
        Set<Split.Part> parts = entry.portions().stream()
                .map(portion -> switch (portion) {
                    case TRAIN -> Split.Part.TRAIN;
                    case VALIDATION -> Split.Part.VALIDATION;
                    case TEST -> Split.Part.TEST;
                })
                .collect(Collectors.toSet());
        return new Split(TENTH, TENTH, seed).of(whole, parts);
    }

    /** The windows of {@code entry} for a model with {@code tokenizer}. */
    TokenWindows windows(DataEntry entry, ModelConfig config, Tokenizer tokenizer) {
        if (entry.length() > config.maximumPositions()) {
            throw new InvalidRequestException(
                    "data",
                    "windows of %,d tokens, but the model was made for %,d"
                            .formatted(entry.length(), config.maximumPositions()),
                    "set length to %d or less".formatted(config.maximumPositions()));
        }
        TokenWindows known = windows.get(entry);
        if (known != null) {
            return known;
        }
        TokenWindows all =
                WindowPacker.pack(source(entry, Optional.of(tokenizer)), tokenizer, entry.length(), progress);
        TokenWindows chosen = begun(
                entry.samples()
                        .filter(samples -> samples < all.count())
                        .map(samples -> all.sample(samples, seed))
                        .orElse(all),
                entry,
                tokenizer.beginToken());
        windows.put(entry, chosen);
        return chosen;
    }

    private static TokenWindows begun(TokenWindows text, DataEntry entry, OptionalInt token) {
        int every = switch (entry.begin()) {
            case TEXT -> 0;
            case ALTERNATE -> 2;
            case ALL -> 1;
        };
        return every > 0 && token.isPresent() ? text.begunBy(token.getAsInt(), every) : text;
    }

    /** What pretraining and distilling learn from. */
    DataEntry train() {
        return data.train().orElseThrow(() -> missing("train", "training"));
    }

    Optional<DataEntry> validation() {
        return data.validation();
    }

    /** What pruning and quantizing run the model on. */
    DataEntry calibration() {
        return data.calibration().orElseThrow(() -> missing("calibration", "calibration"));
    }

    Optional<DataEntry> test() {
        return data.test();
    }

    private static InvalidRequestException missing(String entry, String purpose) {
        return new InvalidRequestException(
                "data." + entry, "is missing, and a stage needs text for " + purpose, "add it to the recipe");
    }
}
