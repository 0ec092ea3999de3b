package dev.demitasse.recipes.language;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.hub.HubReference;
import dev.demitasse.recipes.language.Evaluate.When;
import dev.demitasse.recipes.language.Node.Sequence;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads recipes, and tells all that is wrong with one at once. */
final class RecipeReader {
    private static final long MAXIMUM_BYTES = 1 << 20;
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory()
            .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
            .disable(YAMLGenerator.Feature.SPLIT_LINES)
            .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
            .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS));

    private static final Key<String> NAME = Key.optional(
            "name", Kind.TEXT, "names the run's folder, `runs/NAME`; without it the file's name without its ending");
    private static final Key<Long> SEED =
            Key.of("seed", Kind.count(0, Long.MAX_VALUE), "42", "everything random follows from it");
    private static final Key<ModelReference> MODEL = Key.optional(
            "model",
            new Kind<>(
                    "`hf:ORG/NAME`, `builtin:NAME` or a path",
                    new ModelReference.Builtin(""),
                    RecipeReader::model,
                    ModelReference::written),
            "a checkpoint folder with config.json, a model of the Hugging Face hub (`hf:ORG/NAME@REVISION` for another revision than `main`), or one that Demitasse brings along; not needed where the first stage is `pretrain`");
    private static final Key<Node> DATA = Key.optional("data", Kind.SECTION, "the texts");
    private static final Key<Node> EVALUATE =
            Key.optional("evaluate", Kind.SECTION, "when and how models are measured");
    private static final Key<Node> STAGES = Key.required("stages", Kind.SECTION, "what is done, in order");

    static final Section SECTION =
            new Section("recipe", "The top of the file.", NAME, SEED, MODEL, DATA, EVALUATE, STAGES);

    /** All that a recipe may hold, in the order of the reference. */
    static final List<Section> SECTIONS = List.of(
            SECTION,
            Data.SECTION,
            DataEntry.SECTION,
            Evaluate.SECTION,
            StageGraph.SECTION,
            Pretrain.SECTION,
            Prune.SECTION,
            Distill.SECTION,
            Distill.Loss.SECTION,
            Distill.Student.SECTION,
            Quantize.SECTION,
            Export.SECTION,
            Gate.SECTION,
            Gate.LIMITS);

    private final Fields fields;
    private final Mistakes mistakes;
    private final Map<String, Object> lock;

    private RecipeReader(Node root, Mistakes mistakes) {
        this.mistakes = mistakes;
        this.lock = new LinkedHashMap<>();
        this.fields = new Fields(SECTION, "", root, mistakes, lock);
    }

    static Recipe read(Path file, List<String> overrides) throws IOException {
        Mistakes mistakes = new Mistakes();
        Node root = YamlReader.read(text(file), line -> Origin.line(file, line), mistakes);
        if (mistakes.any()) {
            mistakes.throwIfAny();
        }
        for (int i = 0; i < overrides.size(); i++) {
            root = Assignment.parse(overrides.get(i), i, mistakes).apply(root, mistakes);
        }
        Recipe recipe = new RecipeReader(root, mistakes).recipe(file);
        mistakes.throwIfAny();
        return recipe;
    }

    private static String text(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidRequestException(
                    file,
                    Files.isDirectory(file) ? "is a folder" : "there is no such file",
                    "name a recipe, such as recipes/quickstart.yaml");
        }
        if (Files.size(file) > MAXIMUM_BYTES) {
            throw new InvalidRequestException(file, "has over 1 MB", "check that it is a recipe");
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InvalidRequestException(file, "is not UTF-8 text", "check that it is a recipe");
        }
    }

    private Recipe recipe(Path file) {
        String name = fields.get(NAME, nameOf(file));
        if (!name.matches("[A-Za-z0-9_][A-Za-z0-9_.-]*")) {
            fields.wrong(NAME, "must be letters, digits, ., - and _, is '%s'".formatted(name));
        }
        long seed = fields.get(SEED);
        Optional<ModelReference> model = fields.find(MODEL);
        Data data = Data.read(fields.section(DATA, Data.SECTION), seed);
        Evaluate evaluate = Evaluate.read(fields.section(EVALUATE, Evaluate.SECTION));
        List<Stage> stages = stages();
        checkNeeds(data, evaluate, stages);
        return new Recipe(name, seed, model, data, evaluate, stages, file, lockText());
    }

    private List<Stage> stages() {
        Node node = fields.node(STAGES);
        List<Map<String, Object>> stagesLock = new ArrayList<>();
        lock.put(STAGES.name(), stagesLock);
        if (node instanceof Sequence sequence && !sequence.elements().isEmpty()) {
            return StageGraph.read(sequence.elements(), fields.has(MODEL), mistakes, stagesLock);
        }
        fields.wrong(STAGES, "must be a list of stages, is " + node.words());
        return List.of();
    }

    /** Every text that some work reads must be there. */
    private void checkNeeds(Data data, Evaluate evaluate, List<Stage> stages) {
        for (Stage stage : stages) {
            switch (stage.work()) {
                case Pretrain pretrain -> need(data.train().isPresent(), "train", stage);
                case Distill distill -> need(data.train().isPresent(), "train", stage);
                case Prune prune -> {
                    if (prune.importance() == Prune.Importance.ACTIVATION) {
                        need(data.calibration().isPresent(), "calibration", stage);
                    }
                }
                case Quantize quantize -> {
                    if (quantize.calibrates()) {
                        need(data.calibration().isPresent(), "calibration", stage);
                    }
                }
                case Export export -> {
                    if (export.calibrates()) {
                        need(data.calibration().isPresent(), "calibration", stage);
                    }
                }
            }
        }
        boolean gates = stages.stream().anyMatch(stage -> !stage.gates().isEmpty());
        if (data.test().isEmpty() && (evaluate.after() != When.NEVER || gates)) {
            fields.wrong(DATA, "has no test, which models are measured with; add it, or say evaluate: {after: never}");
        }
    }

    private void need(boolean there, String entry, Stage stage) {
        if (!there) {
            fields.wrong(
                    DATA,
                    "has no %s, which stage '%s' (%s) reads"
                            .formatted(entry, stage.id(), stage.work().name()));
        }
    }

    private static ModelReference model(Node node) {
        String text = Kind.text(node);
        if (text.startsWith(ModelReference.BUILTIN_PREFIX)) {
            String name = text.substring(ModelReference.BUILTIN_PREFIX.length());
            if (!ModelReference.BUILTIN.contains(name)) {
                throw new BadValue("builtin '%s' does not exist; there is: %s"
                        .formatted(name, String.join(", ", ModelReference.BUILTIN)));
            }
            return new ModelReference.Builtin(name);
        }
        if (HubReference.isOne(text)) {
            try {
                return new ModelReference.OfHub(HubReference.parse(text));
            } catch (InvalidRequestException e) {
                throw new BadValue(e.getMessage());
            }
        }
        Path path = Kind.FILE.reader().apply(node);
        if (Files.isDirectory(path) && !Files.exists(path.resolve("config.json"))) {
            throw new BadValue("the folder '%s' has no config.json; name a checkpoint folder".formatted(text));
        }
        return new ModelReference.Local(path);
    }

    private static String nameOf(Path file) {
        Path name = file.getFileName();
        return name == null ? "recipe" : name.toString().replaceFirst("\\.ya?ml$", "");
    }

    private String lockText() {
        try {
            return YAML.writeValueAsString(lock);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a map of texts and numbers", e);
        }
    }
}
