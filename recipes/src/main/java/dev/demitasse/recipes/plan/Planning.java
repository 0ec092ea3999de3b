package dev.demitasse.recipes.plan;

import dev.demitasse.export.huggingface.LayoutPlan;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.prune.PruneSizes;
import dev.demitasse.quantize.Budget;
import dev.demitasse.quantize.mix.TensorPlan;
import dev.demitasse.recipes.language.Data;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.language.Stage;
import dev.demitasse.recipes.language.TrainingSettings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** Follows a model through a recipe's stages. */
final class Planning {
    private static final String CHOSEN_LATER =
            "formats are chosen when it runs, by what rounding each tensor costs; the bytes here are the limit's";

    private final Recipe recipe;
    private final Map<String, Layout> layouts = new LinkedHashMap<>();
    private final List<PlannedStage> planned = new ArrayList<>();
    private final List<String> mistakes = new ArrayList<>();

    Planning(Recipe recipe, Optional<Layout> model) {
        this.recipe = recipe;
        model.ifPresent(layout -> layouts.put(Recipe.MODEL, layout));
    }

    List<PlannedStage> stages() {
        for (Stage stage : recipe.stages()) {
            try {
                plan(stage);
            } catch (InvalidRequestException e) {
                mistakes.add("stage '%s': %s".formatted(stage.id(), e.getMessage()));
            }
        }
        if (!mistakes.isEmpty()) {
            String count = mistakes.size() == 1 ? "1 mistake" : mistakes.size() + " mistakes";
            throw new InvalidRequestException(String.join(
                            "\n",
                            mistakes.stream()
                                    .map(each -> recipe.file() + ": " + each)
                                    .toList())
                    + "\n" + count + "; nothing was run");
        }
        return planned;
    }

    private void plan(Stage stage) {
        if (stage.from().isPresent() && !layouts.containsKey(stage.from().get())) {
            return; // it starts from a stage that could not be planned, which was told
        }
        switch (stage.work()) {
            case Pretrain pretrain -> pretrain(stage, pretrain);
            case Distill distill -> distill(stage, distill);
            case Prune prune -> prune(stage, prune);
            case Quantize quantize -> quantize(stage, quantize);
            case Export export -> export(stage, export);
        }
    }

    private void pretrain(Stage stage, Pretrain work) {
        ModelConfig config = WorkOptions.config(work, work.vocabularySize(), OptionalInt.empty());
        train(stage, Layout.of(config, work.training().format()), Optional.empty(), work.training());
    }

    private void distill(Stage stage, Distill work) {
        Layout teacher = layouts.get(work.teacher());
        if (teacher == null) {
            return;
        }
        checkFloat(teacher, "distill.teacher: '%s'".formatted(work.teacher()));
        ModelConfig student = work.student()
                .map(sizes -> WorkOptions.config(sizes, teacher.config()))
                .orElseGet(() -> input(stage).config());
        if (student.vocabularySize() != teacher.config().vocabularySize()) {
            throw new InvalidRequestException(
                    "distill.teacher",
                    "'%s' has a vocabulary of %,d tokens, the student one of %,d"
                            .formatted(work.teacher(), teacher.config().vocabularySize(), student.vocabularySize()),
                    "a student learns only from a teacher with the same tokenizer");
        }
        train(stage, Layout.of(student, work.training().format()), Optional.of(teacher.config()), work.training());
    }

    private void train(Stage stage, Layout result, Optional<ModelConfig> teacher, TrainingSettings settings) {
        Data data = recipe.data();
        int length = data.train().map(DataEntry::length).orElseThrow();
        layouts.put(stage.id(), result);
        data.train().ifPresent(entry -> checkLength("data.train", entry, result.config()));
        data.validation().ifPresent(entry -> checkLength("data.validation", entry, result.config()));
        planned.add(planned(
                stage,
                result,
                MemoryEstimate.training(result.config(), teacher, settings, length),
                OptionalLong.of(settings.tokens(length)),
                List.of()));
    }

    private void prune(Stage stage, Prune work) {
        Layout source = input(stage);
        checkFloat(source, "prune");
        Layout result = source.pruned(PruneSizes.apply(source.config(), WorkOptions.of(work)));
        boolean calibrates = work.importance() == Prune.Importance.ACTIVATION;
        add(stage, result, calibrates ? calibrating(source, false) : MemoryEstimate.copying());
    }

    private void quantize(Stage stage, Quantize work) {
        Layout source = input(stage);
        checkFloat(source, "quantize");
        boolean calibrates = work.calibrates();
        OptionalLong limit = WorkOptions.limit(work, source.config());
        TensorPlan plan = limit.isPresent()
                ? Budget.estimate(source.config(), limit.getAsLong())
                : WorkOptions.of(work).plan(source.config());
        add(
                stage,
                source.quantized(plan),
                calibrates ? calibrating(source, work.method() == Quantize.Method.GPTQ) : MemoryEstimate.copying(),
                limit.isPresent() ? List.of(CHOSEN_LATER) : notes(plan));
    }

    private void export(Stage stage, Export work) {
        Layout source = input(stage);
        Layout result = source.exported(work);
        long bytes = work.target()
                .layout()
                .map(source::packed)
                .map(LayoutPlan::bytes)
                .orElseGet(result::bytes);
        long memory = work.calibrates() ? calibrating(source, false) : MemoryEstimate.copying();
        layouts.put(stage.id(), result);
        planned.add(planned(stage, result, bytes, memory, OptionalLong.empty(), List.of()));
    }

    private long calibrating(Layout source, boolean secondMoments) {
        Optional<DataEntry> calibration = recipe.data().calibration();
        calibration.ifPresent(entry -> checkLength("data.calibration", entry, source.config()));
        return MemoryEstimate.calibrating(source, calibration, secondMoments);
    }

    private Layout input(Stage stage) {
        return stage.from()
                .flatMap(from -> Optional.ofNullable(layouts.get(from)))
                .orElseThrow(() -> new IllegalStateException("stage %s starts from nothing".formatted(stage.id())));
    }

    private static void checkFloat(Layout layout, String where) {
        if (!layout.isFloat()) {
            throw new InvalidRequestException(
                    where,
                    "needs float weights, but they are %s".formatted(layout.formatName()),
                    "start from the checkpoint before it was quantized");
        }
    }

    private static void checkLength(String where, DataEntry entry, ModelConfig config) {
        if (entry.length() > config.maximumPositions()) {
            throw new InvalidRequestException(
                    where + ".length",
                    "is %,d, but the model was made for %,d positions"
                            .formatted(entry.length(), config.maximumPositions()),
                    "set it to %d or less".formatted(config.maximumPositions()));
        }
    }

    private void add(Stage stage, Layout result, long memory) {
        add(stage, result, memory, List.of());
    }

    private void add(Stage stage, Layout result, long memory, List<String> notes) {
        layouts.put(stage.id(), result);
        planned.add(planned(stage, result, memory, OptionalLong.empty(), notes));
    }

    private static PlannedStage planned(
            Stage stage, Layout result, long memory, OptionalLong tokens, List<String> notes) {
        return planned(stage, result, result.bytes(), memory, tokens, notes);
    }

    private static PlannedStage planned(
            Stage stage, Layout result, long bytes, long memory, OptionalLong tokens, List<String> notes) {
        return new PlannedStage(
                stage,
                Descriptions.of(stage.work()),
                result.config(),
                result.formatName(),
                bytes,
                memory,
                tokens,
                notes);
    }

    /** How many bits weights take, in which formats, and which matrices do not get the format that was asked for. */
    private static List<String> notes(TensorPlan plan) {
        Map<String, Long> weights = plan.weightsByFormat();
        double all = weights.values().stream().mapToLong(Long::longValue).sum();
        String shares = weights.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                .map(entry -> "%s %.3g %%".formatted(entry.getKey(), 100 * entry.getValue() / all))
                .collect(Collectors.joining(", "));
        List<String> notes = new ArrayList<>();
        notes.add("%.3f bits a weight: %s".formatted(plan.bitsPerWeight(), shares));
        notes.addAll(plan.fallbacks());
        return notes;
    }
}
