package dev.demitasse.recipes.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.Recipe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run's folder keeps, what it throws away, and when a stage is done again. */
class RunFolderTest {
    private static final String RECIPE = """
            data:
              train: {builtin: stories}
              test: {builtin: stories}
            stages:
              - {id: teacher, pretrain: {steps: 10}}
              - {id: slim, prune: {ffn: 0.5}}
              - {id: heal, distill: {teacher: teacher, steps: 10}}
              - {id: q4, quantize: {format: q4_0}}
              - {id: other, from: teacher, quantize: {format: q8_0}}
              - {id: gguf, from: q4, export: {format: gguf}}
            """;

    @TempDir
    Path folder;

    private Recipe recipe(String... overrides) throws IOException {
        Path file = folder.resolve("mine.yaml");
        Files.writeString(file, RECIPE);
        return Recipe.read(file, List.of(overrides));
    }

    private static Map<String, StageKey> keys(Recipe recipe) {
        return StageKeys.of(recipe, Optional.empty(), Object::toString);
    }

    private void runAll(RunFolder run, Recipe recipe) throws IOException {
        for (var stage : keys(recipe).entrySet()) {
            try (StageWork work = run.begin(stage.getKey(), stage.getValue())) {
                Files.writeString(work.output().resolve("model.safetensors"), stage.getKey());
                work.commit();
            }
        }
    }

    private static Map<String, String> stale(RunFolder run, Recipe recipe) {
        return keys(recipe).entrySet().stream()
                .flatMap(stage ->
                        why(run, stage.getKey(), stage.getValue()).stream().map(why -> Map.entry(stage.getKey(), why)))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    private static Optional<String> why(RunFolder run, String id, StageKey key) {
        try {
            return run.whyStale(id, key);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aSecondRunDoesNothingAndAChangedLineRedoesWhatDependsOnIt() throws IOException {
        Recipe recipe = recipe();
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            assertThat(stale(run, recipe)).hasSize(6).containsEntry("slim", "never done");
            runAll(run, recipe);
            assertThat(stale(run, recipe)).isEmpty();

            assertThat(stale(run, recipe("stages.heal.distill.temperature=3")))
                    .isEqualTo(
                            Map.of("heal", "changed: options", "q4", "changed: from heal", "gguf", "changed: from q4"));
            assertThat(stale(run, recipe("data.calibration.builtin=stories", "data.calibration.count=7")))
                    .containsOnlyKeys("slim", "heal", "q4", "gguf")
                    .containsEntry("slim", "changed: data.calibration");
            assertThat(stale(run, recipe("seed=43"))).hasSize(6);
            assertThat(stale(run, recipe("evaluate.after=end", "name=renamed", "stages.q4.gate.kl.max=0.1")))
                    .isEmpty();
        }
    }

    @Test
    void aResultThatWasTamperedWithIsMadeAgain() throws IOException {
        Recipe recipe = recipe();
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            runAll(run, recipe);
            Files.writeString(run.stage("slim").resolve("model.safetensors"), "half");
            Files.delete(run.stage("q4").resolve("model.safetensors"));
            Files.writeString(run.stage("other").resolve("stage.json"), "{\"id\": ");
            assertThat(stale(run, recipe))
                    .containsOnly(
                            Map.entry("q4", "stages/q4/model.safetensors is not as it was left"),
                            Map.entry("other", "never done"));
        }
    }

    @Test
    void aKilledStageKeepsWhatItNeedsToGoOnAndNothingElse() throws IOException {
        Recipe recipe = recipe();
        StageKey key = keys(recipe).get("heal");
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            StageWork killed = run.begin("heal", key);
            Files.writeString(killed.output().resolve("model.safetensors"), "half");
            Files.writeString(killed.resume().resolve("state"), "step 7");
        }
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            assertThat(run.whyStale("heal", key)).contains("not finished");
            try (StageWork again = run.begin("heal", key)) {
                assertThat(again.resumed()).isTrue();
                assertThat(again.output()).isEmptyDirectory();
                assertThat(again.resume().resolve("state")).hasContent("step 7");
            }
            assertThat(run.stage("heal")).doesNotExist();
            StageKey changed = keys(recipe("stages.heal.distill.steps=11")).get("heal");
            try (StageWork other = run.begin("heal", changed)) {
                assertThat(other.resumed()).isFalse();
                assertThat(other.resume()).isEmptyDirectory();
                other.commit();
            }
            assertThat(run.path().resolve("work/heal")).doesNotExist();
            assertThat(run.isFresh("heal", changed)).isTrue();
        }
    }

    @Test
    void artifactsGoToTheirFolderAndBelongToTheStage() throws IOException {
        Recipe recipe = recipe();
        StageKey key = keys(recipe).get("gguf");
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            try (StageWork work = run.begin("gguf", key)) {
                Files.writeString(work.output().resolve("gguf.gguf"), "weights");
                Files.writeString(work.output().resolve("parity.json"), "{}");
                StageRecord record = work.commit(List.of("gguf.gguf"));
                assertThat(record.files()).isEqualTo(Map.of("artifacts/gguf.gguf", 7L, "stages/gguf/parity.json", 2L));
            }
            assertThat(run.isFresh("gguf", key)).isTrue();
            Files.delete(run.artifacts().resolve("gguf.gguf"));
            assertThat(run.isFresh("gguf", key)).isFalse();
        }
    }

    @Test
    void aFolderIsAnArtifactAsAWhole() throws IOException {
        Recipe recipe = recipe();
        StageKey key = keys(recipe).get("gguf");
        try (RunFolder run = RunFolder.open(folder.resolve("run"), recipe)) {
            for (String name : List.of("old.json", "new.json")) {
                try (StageWork work = run.begin("gguf", key)) {
                    Files.createDirectory(work.output().resolve("gguf"));
                    Files.writeString(work.output().resolve("gguf").resolve(name), "{}");
                    StageRecord record = work.commit(List.of("gguf"));
                    assertThat(record.files()).isEqualTo(Map.of("artifacts/gguf/" + name, 2L));
                }
                assertThat(run.isFresh("gguf", key)).isTrue();
            }
            assertThat(run.artifacts().resolve("gguf/old.json")).doesNotExist();
        }
    }

    @Test
    void twoRunsDoNotShareAFolderAndOtherFoldersAreLeftAlone() throws IOException {
        Recipe recipe = recipe();
        Path place = folder.resolve("run");
        try (RunFolder held = RunFolder.open(place, recipe)) {
            assertThatThrownBy(() -> RunFolder.open(place, recipe))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("another run is working in this folder; wait for it");
            assertThat(held.path().resolve("recipe.lock.yaml")).hasContent(recipe.lock());
        }
        RunFolder.open(place, recipe).close();
        assertThatThrownBy(() -> RunFolder.open(folder, recipe))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("it is not a run's folder");
    }

    @Test
    void eventsAreOneObjectALineAndOnlyAdded() throws IOException {
        Recipe recipe = recipe();
        for (int i = 0; i < 2; i++) {
            try (RunFolder run =
                    RunFolder.open(folder.resolve("run"), recipe, () -> Instant.parse("2026-01-02T03:04:05.678901Z"))) {
                run.events().add("stage_began", Map.of("stage", "slim\n" + i));
            }
        }
        assertThat(folder.resolve("run/events.jsonl")).hasContent("""
                        {"time":"2026-01-02T03:04:05.678Z","type":"stage_began","stage":"slim\\n0"}
                        {"time":"2026-01-02T03:04:05.678Z","type":"stage_began","stage":"slim\\n1"}
                        """);
    }

    /** Content counts, not place or time; a hash that is known for a file's size and time is not computed again. */
    @Test
    void modelsAreKnownByTheirContent() throws IOException {
        Path model = Files.createDirectories(folder.resolve("model"));
        Path weights = Files.writeString(model.resolve("model.safetensors"), "weights");
        Files.writeString(model.resolve("config.json"), "{}");
        Path memory = folder.resolve("fingerprints.json");
        String first = Fingerprints.open(memory).of(model, Progress.SILENT);

        FileTime time = Files.getLastModifiedTime(weights);
        Files.writeString(weights, "Weights");
        Files.setLastModifiedTime(weights, time);
        assertThat(Fingerprints.open(memory).of(model, Progress.SILENT)).isEqualTo(first);
        Files.writeString(memory, "{\"broken");
        assertThat(Fingerprints.open(memory).of(model, Progress.SILENT)).isNotEqualTo(first);

        Files.writeString(weights, "weights");
        Files.setLastModifiedTime(weights, FileTime.fromMillis(0));
        Files.writeString(model.resolve("README.md"), "not weights");
        assertThat(Fingerprints.open(memory).of(model, Progress.SILENT)).isEqualTo(first);
    }

    @Test
    void keysOfDifferentInputsDiffer() {
        StageKey key = new StageKey(Map.of("a", "b"));
        assertThat(key.hash()).isNotEqualTo(new StageKey(Map.of("a", "c")).hash());
        assertThat(key.hash()).isNotEqualTo(new StageKey(Map.of("ab", "")).hash());
        assertThat(key.hash()).isEqualTo(new StageKey(Map.of("a", "b")).hash());
    }
}
