package dev.demitasse.recipes.run;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.language.Stage;
import dev.demitasse.recipes.store.RunFolder;
import dev.demitasse.recipes.store.StageKey;
import dev.demitasse.recipes.store.StageKeys;
import dev.demitasse.recipes.store.StageWork;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Runs a recipe: stage after stage, what is there already left as it is, each result measured, then the report. */
public final class RecipeRunner {
    private static final String DETAILS = "details.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Recipe recipe;
    private final RunFolder folder;
    private final Announcer announcer;
    private final Progress progress;
    private final Corpora corpora;
    private final Optional<Path> model;
    private final Map<String, StageKey> keys;
    private final String modelHash;
    private final Measuring measuring;

    /**
     * How a run ended.
     *
     * @param stagesDone stages that had to be done
     * @param measured models that had to be measured
     * @param gates every condition
     */
    public record Outcome(int stagesDone, int measured, List<GateResult> gates) {
        public boolean passed() {
            return gates.stream().allMatch(GateResult::passed);
        }

        /** Whether everything was there already. */
        public boolean nothingToDo() {
            return stagesDone == 0 && measured == 0;
        }
    }

    private RecipeRunner(Recipe recipe, RunFolder folder, ModelLocation models, Announcer announcer, Progress progress)
            throws IOException {
        this.recipe = recipe;
        this.folder = folder;
        this.announcer = announcer;
        this.progress = progress;
        this.corpora = new Corpora(recipe.data(), recipe.seed(), progress);
        this.model = recipe.model().isPresent()
                ? Optional.of(models.of(recipe.model().get()))
                : Optional.empty();
        this.modelHash = model.isPresent() ? folder.fingerprints().of(model.get(), progress) : "none";
        this.keys = StageKeys.of(recipe, model.map(path -> modelHash), corpora::fingerprint);
        this.measuring = new Measuring(
                recipe, folder, corpora, new Measuring.Models(this::location, this::hash), announcer, progress);
    }

    /**
     * Runs {@code recipe} in {@code place}.
     *
     * @param models where its model comes from
     * @throws InvalidRequestException if it cannot be done as asked
     */
    public static Outcome run(Recipe recipe, Path place, ModelLocation models, Announcer announcer, Progress progress)
            throws IOException {
        try (RunFolder folder = RunFolder.open(place, recipe)) {
            RecipeRunner runner = new RecipeRunner(recipe, folder, models, announcer, progress);
            try (Measuring measuring = runner.measuring) {
                return runner.run(measuring);
            }
        } finally {
            progress.end();
        }
    }

    private Outcome run(Measuring measuring) throws IOException {
        folder.events().add("run_started", Map.of("recipe", recipe.file().toString()));
        Map<String, StageDetails> details = new LinkedHashMap<>();
        List<GateResult> gates = new ArrayList<>();
        Set<String> stagesDone = new TreeSet<>();
        measuring.measure(Recipe.MODEL);
        for (Stage stage : recipe.stages()) {
            if (bringAbout(stage)) {
                stagesDone.add(stage.id());
            }
            StageDetails told =
                    JSON.readValue(folder.stage(stage.id()).resolve(DETAILS).toFile(), StageDetails.class);
            details.put(stage.id(), told);
            if (measuring.isMeasured(stage)) {
                measuring.measure(stage.id());
                for (GateResult gate : Gates.check(stage, measuring.builtIn(), Optional.of(told))) {
                    gates.add(gate);
                    announcer.say("  gate " + gate);
                    folder.events().add("gate", Map.of("stage", stage.id(), "passed", gate.passed()));
                }
                if (gates.stream().anyMatch(gate -> !gate.passed())) {
                    break;
                }
            }
        }
        measuring.forgetOthers();
        Outcome outcome = new Outcome(stagesDone.size(), measuring.modelsMeasured(), gates);
        if (!outcome.nothingToDo() || !ReportAssembly.isThere(folder)) {
            new ReportAssembly(recipe, folder, measuring.measured(), details, gates, stagesDone).write();
        }
        folder.events().add("run_finished", Map.of("stages_done", stagesDone.size(), "passed", outcome.passed()));
        return outcome;
    }

    /** Does the stage unless its result is there; says whether it did. */
    private boolean bringAbout(Stage stage) throws IOException {
        String id = stage.id();
        StageKey key = key(id);
        Optional<String> why = folder.whyStale(id, key);
        if (why.isEmpty()) {
            announcer.say("%s: unchanged".formatted(id));
            return false;
        }
        try (StageWork work = folder.begin(id, key)) {
            announcer.say("%s: %s%s"
                    .formatted(
                            id,
                            stage.work().name(),
                            work.resumed() ? ", going on where it was cut off" : " (" + why.get() + ")"));
            folder.events().add("stage_started", Map.of("stage", id, "why", why.get()));
            Path output =
                    stage.work() instanceof Export export ? work.output().resolve(export.fileName(id)) : work.output();
            StageDetails details = new StageExecution(corpora, recipe.seed(), progress)
                    .run(stage.work(), new StageExecution.Places(input(stage), teacher(stage), output, work.resume()));
            progress.end();
            AtomicFile.write(work.output().resolve(DETAILS), JSON.writeValueAsString(details));
            double seconds = work.commit(artifacts(stage, work.output())).seconds();
            details.notes().forEach(note -> announcer.say("  " + note));
            folder.events().add("stage_committed", Map.of("stage", id, "seconds", seconds));
        }
        return true;
    }

    /** The files that are shipped; the rest of an export is for the record. */
    private static List<String> artifacts(Stage stage, Path output) {
        if (!(stage.work() instanceof Export export)) {
            return List.of();
        }
        String name = export.fileName(stage.id());
        return List.of(name, name + ".data", "tokenizer.json").stream()
                .filter(file -> Files.exists(output.resolve(file)))
                .toList();
    }

    private Optional<Path> input(Stage stage) {
        return stage.from().map(this::location);
    }

    private Optional<Path> teacher(Stage stage) {
        return stage.work() instanceof Distill distill ? Optional.of(location(distill.teacher())) : Optional.empty();
    }

    /** Where {@link Recipe#MODEL} or a stage's result lies. */
    private Path location(String reference) {
        return reference.equals(Recipe.MODEL)
                ? model.orElseThrow(() -> new InvalidRequestException(
                        recipe.file(), "a stage starts from model, but there is none", "give the recipe a model"))
                : result(recipe.stage(reference));
    }

    private Path result(Stage stage) {
        return stage.work() instanceof Export export
                ? folder.artifacts().resolve(export.fileName(stage.id()))
                : folder.stage(stage.id());
    }

    private StageKey key(String id) {
        StageKey key = keys.get(id);
        if (key == null) {
            throw new IllegalStateException("no key for " + id);
        }
        return key;
    }

    private String hash(String reference) {
        return reference.equals(Recipe.MODEL) ? modelHash : key(reference).hash();
    }
}
