package dev.demitasse.recipes.run;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.evaluate.KeptReference;
import dev.demitasse.infer.evaluate.Reference;
import dev.demitasse.infer.evaluate.ReferenceWriter;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.Evaluate.Metric;
import dev.demitasse.recipes.language.Evaluate.When;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Export.Target;
import dev.demitasse.recipes.language.Gate;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.language.Stage;
import dev.demitasse.recipes.run.Scores.Sheet;
import dev.demitasse.recipes.store.RunFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Measures a run's models, what is known already not again. A model that others are compared with is run over the test text
 * once: if it is measured itself, then; else when the first of two or more is to be compared with it. For a single
 * comparison it runs beside the other, and nothing is kept.
 */
final class Measuring implements AutoCloseable {
    private final Recipe recipe;
    private final Corpora corpora;
    private final Models models;
    private final Announcer announcer;
    private final Progress progress;
    private final Sheets sheets;
    private final KeptReferences kept;
    private final Map<String, Sheet> measured = new LinkedHashMap<>();
    private int modelsMeasured;

    /**
     * What a recipe's names stand for: {@link Recipe#MODEL} and its stages' ids.
     *
     * @param location where a model lies
     * @param hash of what it is made from
     */
    record Models(Function<String, Path> location, UnaryOperator<String> hash) {}

    Measuring(Recipe recipe, RunFolder folder, Corpora corpora, Models models, Announcer announcer, Progress progress)
            throws IOException {
        this.recipe = recipe;
        this.corpora = corpora;
        this.models = models;
        this.announcer = announcer;
        this.progress = progress;
        this.sheets = Sheets.open(folder.metrics());
        this.kept = new KeptReferences(folder.references(), Judge.protocol(recipe.evaluate()));
    }

    /** All that is known, by id. */
    Map<String, Sheet> measured() {
        return Collections.unmodifiableMap(measured);
    }

    /** What the built-in runtime measured, by id. */
    Map<String, Scores> builtIn() {
        Map<String, Scores> scores = new LinkedHashMap<>();
        measured.forEach((id, sheet) -> scores.put(id, sheet.builtIn()));
        return scores;
    }

    /** How many models were not known already. */
    int modelsMeasured() {
        return modelsMeasured;
    }

    /** Whether the recipe wants {@code stage}'s result measured. */
    boolean isMeasured(Stage stage) {
        if (!stage.gates().isEmpty()) {
            return true;
        }
        return switch (recipe.evaluate().after()) {
            case EVERY_STAGE -> true;
            case NEVER -> false;
            case END -> recipe.stages().stream().noneMatch(other -> other.from().equals(Optional.of(stage.id())));
        };
    }

    private boolean isMeasured(String id) {
        if (!id.equals(Recipe.MODEL)) {
            return isMeasured(recipe.stage(id));
        }
        return recipe.model().isPresent() && recipe.evaluate().after() != When.NEVER;
    }

    /** Measures {@code id} unless that is known, or is not to be. */
    void measure(String id) throws IOException {
        Optional<DataEntry> test = corpora.test();
        if (test.isEmpty() || !isMeasured(id)) {
            return;
        }
        String key = key(id, test.get());
        Optional<Sheet> known = sheets.find(id, key);
        if (known.isPresent()) {
            measured.put(id, known.get());
            return;
        }
        modelsMeasured++;
        Sheet sheet = new Sheet(key, judge(id, test.get()));
        progress.end();
        sheets.put(id, sheet);
        measured.put(id, sheet);
        sheet.scores().forEach(scores -> announcer.say("  " + summary(scores)));
    }

    private List<Scores> judge(String id, DataEntry test) throws IOException {
        Path path = models.location.apply(id);
        List<CpuModel> running = new ArrayList<>();
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            TokenWindows windows = corpora.windows(test, checkpoint.config(), checkpoint.requireTokenizer());
            Map<String, Reference> references = new LinkedHashMap<>();
            for (String name : references(id)) {
                references.put(name, reference(name, checkpoint, windows, running));
            }
            Judge judge = new Judge(recipe.evaluate(), windows, progress);
            Judge.Comparisons comparisons = new Judge.Comparisons(references, source(id));
            if (comparisonsToCome(id) == 0) {
                return judge.judge(id, path, comparisons, Optional.empty());
            }
            try (ReferenceWriter keeper = kept.begin(id, models.hash.apply(id), checkpoint.config(), windows)) {
                List<Scores> scores = judge.judge(id, path, comparisons, Optional.of(keeper));
                keeper.commit();
                return scores;
            }
        } finally {
            running.forEach(CpuModel::close);
        }
    }

    /**
     * Predictions of {@code name} to compare those of {@code judged} with.
     *
     * @param running takes a model that has to run beside it
     */
    private Reference reference(String name, Checkpoint judged, TokenWindows test, List<CpuModel> running)
            throws IOException {
        String hash = models.hash.apply(name);
        Optional<KeptReference> known = kept.find(name, hash, judged.config(), test);
        if (known.isPresent()) {
            return known.get();
        }
        CpuModel model = CpuModel.open(models.location.apply(name));
        running.add(model);
        if (comparisonsToCome(name) > 1) {
            kept.record(name, hash, model, test, progress);
            known = kept.find(name, hash, judged.config(), test);
        }
        return known.isPresent() ? known.get() : Reference.of(model);
    }

    /** How many times a model that is yet to be measured will be compared with {@code reference}. */
    private int comparisonsToCome(String reference) {
        DataEntry test = corpora.test().orElseThrow();
        return recipe.stages().stream()
                .filter(stage -> isMeasured(stage)
                        && !measured.containsKey(stage.id())
                        && references(stage.id()).contains(reference)
                        && sheets.find(stage.id(), key(stage.id(), test)).isEmpty())
                .mapToInt(Measuring::runtimes)
                .sum();
    }

    private static int runtimes(Stage stage) {
        return stage.work() instanceof Export export && export.target() == Target.ONNX ? 2 : 1;
    }

    private static String summary(Scores scores) {
        StringBuilder text = new StringBuilder(
                "%s, %s: %,d bytes".formatted(scores.id(), scores.runtime().title(), scores.bytes()));
        if (scores.quality() != null) {
            text.append(", perplexity %.4f".formatted(scores.quality().perplexity()));
        }
        scores.divergences()
                .forEach((other, divergence) -> text.append(
                        ", KL %.4g (99 %%: %.3g) from %s".formatted(divergence.meanKl(), divergence.p99Kl(), other)));
        return text.toString();
    }

    /** What {@code id} is compared with: the recipe's model, and what its gates name. */
    private Set<String> references(String id) {
        Set<String> names = new TreeSet<>();
        String origin = recipe.baseline();
        boolean compared = recipe.evaluate().metrics().contains(Metric.KL)
                || recipe.evaluate().metrics().contains(Metric.TOP1);
        if (compared && !id.equals(origin)) {
            names.add(origin);
        }
        if (!id.equals(Recipe.MODEL)) {
            for (Gate gate : recipe.stage(id).gates()) {
                switch (gate.measure()) {
                    case KL, KL_MEDIAN, KL_99, KL_MAX, TOP1, RMS_PROBABILITY ->
                        gate.against().ifPresent(names::add);
                    case PERPLEXITY, PERPLEXITY_RATIO, BITS_PER_BYTE, SIZE, SIZE_RATIO, SPEED, SPEED_RATIO -> {}
                }
            }
        }
        return names;
    }

    /** What an export was made from. */
    private Map<String, Path> source(String id) {
        if (id.equals(Recipe.MODEL) || !(recipe.stage(id).work() instanceof Export)) {
            return Map.of();
        }
        return recipe.stage(id)
                .from()
                .map(from -> Map.of(from, models.location.apply(from)))
                .orElse(Map.of());
    }

    /** What a model's figures depend on. */
    private String key(String id, DataEntry test) {
        StringBuilder key = new StringBuilder(models.hash.apply(id));
        references(id).forEach(reference -> key.append(' ').append(models.hash.apply(reference)));
        return key.append(' ')
                .append(corpora.fingerprint(test))
                .append(' ')
                .append(recipe.evaluate())
                .toString();
    }

    /** Drops what is known of models that the recipe no longer has. */
    void forgetOthers() throws IOException {
        sheets.keep(List.copyOf(measured.keySet()));
        kept.keepOnly(measured.keySet().stream()
                .flatMap(id -> references(id).stream())
                .toList());
    }

    @Override
    public void close() {
        kept.close();
    }
}
