package dev.demitasse.recipes.store;

import dev.demitasse.recipes.language.Data;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.language.Stage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** The keys of a recipe's stages: each has those of the stages it reads in it, so that a change reaches all that follow. */
public final class StageKeys {
    private final Recipe recipe;
    private final String model;
    private final Function<DataEntry, String> texts;
    private final Map<String, StageKey> keys = new LinkedHashMap<>();

    private StageKeys(Recipe recipe, String model, Function<DataEntry, String> texts) {
        this.recipe = recipe;
        this.model = model;
        this.texts = texts;
    }

    /**
     * The key of each stage by its id.
     *
     * @param model hash of the recipe's model, where it has one; see {@link Fingerprints}
     * @param texts hash of what an entry reads; asked only for those that some stage reads
     */
    public static Map<String, StageKey> of(Recipe recipe, Optional<String> model, Function<DataEntry, String> texts) {
        StageKeys all = new StageKeys(recipe, model.orElse("none"), texts);
        for (Stage stage : recipe.stages()) {
            all.keys.put(stage.id(), all.key(stage));
        }
        return all.keys;
    }

    private StageKey key(Stage stage) {
        Map<String, String> inputs = new LinkedHashMap<>();
        inputs.put("code", CodeVersion.of(stage.work()));
        inputs.put("options", stage.work().toString());
        inputs.put("seed", Long.toString(recipe.seed()));
        stage.from().ifPresent(from -> inputs.put("from " + from, reference(from)));
        Data data = recipe.data();
        switch (stage.work()) {
            case Pretrain pretrain -> training(inputs, data);
            case Distill distill -> {
                inputs.put("teacher " + distill.teacher(), reference(distill.teacher()));
                training(inputs, data);
            }
            case Prune prune -> {
                if (prune.importance() == Prune.Importance.ACTIVATION) {
                    text(inputs, "data.calibration", data.calibration());
                }
            }
            case Quantize quantize -> {
                quantize.importance().ifPresent(file -> inputs.put("imatrix", hash(file)));
                if (quantize.calibrates()) {
                    text(inputs, "data.calibration", data.calibration());
                }
            }
            case Export export -> {
                if (export.calibrates()) {
                    text(inputs, "data.calibration", data.calibration());
                }
            }
        }
        return new StageKey(inputs);
    }

    private static String hash(Path file) {
        try {
            return Hashes.sha256(file, bytes -> {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void training(Map<String, String> inputs, Data data) {
        text(inputs, "data.train", data.train());
        text(inputs, "data.validation", data.validation());
    }

    private void text(Map<String, String> inputs, String name, Optional<DataEntry> entry) {
        entry.ifPresent(there -> inputs.put(name, texts.apply(there)));
    }

    private String reference(String reference) {
        StageKey key = keys.get(reference);
        return key == null ? model : key.hash();
    }
}
