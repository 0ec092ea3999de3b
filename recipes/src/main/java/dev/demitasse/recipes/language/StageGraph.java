package dev.demitasse.recipes.language;

import dev.demitasse.export.huggingface.HuggingFaceLayout;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgmlType;
import dev.demitasse.model.onnx.OnnxBlocks;
import dev.demitasse.recipes.language.Node.Mapping;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the stages in order, and checks that each starts from something that is there and that it can work on: float
 * weights, weights in a block format, INT8 weights; from an exported file none can.
 */
final class StageGraph {
    /** What a stage leaves behind. */
    private enum Form {
        FLOAT("float weights"),
        BLOCKS("weights in a block format"),
        INT8("int8 weights"),
        /** Blocks that GGUF has no type for, and FP8. */
        GROUPS("weights in a format that GGUF does not have"),
        FILE("an exported file"),
        /** After a mistake: goes with everything, so that it is told once. */
        UNKNOWN("anything");

        private final String words;

        Form(String words) {
            this.words = words;
        }
    }

    private static final Key<String> ID = Key.required("id", Kind.TEXT, "its name, and its folder's");
    private static final Key<String> FROM = Key.optional(
            "from",
            Kind.TEXT,
            "what it starts from: `model` or an earlier stage; without it the stage before, `model` for the first");
    private static final Key<Node> GATE = Key.optional("gate", Kind.SECTION, "conditions that its result must meet");
    private static final Key<Node> PRETRAIN = Key.optional("pretrain", Kind.SECTION, "work: make a new model");
    private static final Key<Node> PRUNE = Key.optional("prune", Kind.SECTION, "work: remove parts");
    private static final Key<Node> DISTILL = Key.optional("distill", Kind.SECTION, "work: learn from a teacher");
    private static final Key<Node> QUANTIZE = Key.optional("quantize", Kind.SECTION, "work: round weights");
    private static final Key<Node> EXPORT =
            Key.optional("export", Kind.SECTION, "work: write a file, or a folder, that other programs run");
    private static final List<Key<?>> WORKS = List.of(PRETRAIN, PRUNE, DISTILL, QUANTIZE, EXPORT);

    static final Section SECTION = new Section(
                    "stages", "A list of mappings, in the order they run: an id, and one work each.", ID, FROM)
            .plus(WORKS)
            .plus(List.of(GATE));

    private final boolean hasModel;
    private final Set<String> all;
    private final Map<String, Form> forms = new LinkedHashMap<>();
    /** Of stages that quantize: what most of their weights are in. */
    private final Map<String, TensorFormat> formats = new HashMap<>();

    private final List<Stage> stages = new ArrayList<>();

    /** @param all ids of all stages, those still to come too */
    private StageGraph(boolean hasModel, Set<String> all) {
        this.hasModel = hasModel;
        this.all = all;
        if (hasModel) {
            forms.put(Recipe.MODEL, Form.FLOAT);
        }
    }

    static List<Stage> read(List<Node> nodes, boolean hasModel, Mistakes mistakes, List<Map<String, Object>> lock) {
        Set<String> all = new LinkedHashSet<>();
        for (Node node : nodes) {
            if (node instanceof Mapping mapping
                    && mapping.entries().get(ID.name()) instanceof Node.Entry entry
                    && entry.value() instanceof Node.Text text) {
                all.add(text.text().strip());
            }
        }
        StageGraph graph = new StageGraph(hasModel, all);
        for (Node node : nodes) {
            Map<String, Object> stageLock = new LinkedHashMap<>();
            lock.add(stageLock);
            graph.stage(new Fields(SECTION, "stage", node, mistakes, stageLock));
        }
        return graph.stages;
    }

    private void stage(Fields fields) {
        String id = fields.get(ID);
        if (fields.find(ID).isPresent()) {
            checkId(fields, id);
        }
        int before = fields.mistakes().count();
        Optional<Work> work = fields.one(WORKS).map(key -> work(key, fields));
        boolean sound = work.isPresent() && fields.mistakes().count() == before;
        Optional<String> from = from(fields, work);
        work.ifPresent(chosen -> checkInput(fields, chosen, from));
        forms.put(
                id,
                work.filter(chosen -> sound).map(chosen -> form(chosen, from)).orElse(Form.UNKNOWN));
        if (sound && work.get() instanceof Quantize quantize) {
            formats.put(id, quantize.mix().base());
        }
        List<Gate> gates = fields.has(GATE) ? Gate.read(fields.section(GATE, Gate.SECTION, "gate"), this) : List.of();
        work.ifPresent(chosen -> stages.add(new Stage(id, from, chosen, gates)));
    }

    private void checkId(Fields fields, String id) {
        if (id.equals(Recipe.MODEL)) {
            fields.wrong(ID, "'model' is the recipe's model; choose another");
        } else if (!id.matches("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")) {
            fields.wrong(ID, "must be letters, digits, - and _, at most 64, is '%s'".formatted(id));
        } else if (forms.containsKey(id)) {
            fields.wrong(ID, "'%s' stands twice; each stage has an id of its own".formatted(id));
        }
    }

    private Work work(Key<?> key, Fields fields) {
        if (key == PRETRAIN) {
            return Pretrain.read(inner(fields, PRETRAIN, Pretrain.SECTION));
        }
        if (key == PRUNE) {
            return Prune.read(inner(fields, PRUNE, Prune.SECTION));
        }
        if (key == DISTILL) {
            Fields distill = inner(fields, DISTILL, Distill.SECTION);
            Distill work = Distill.read(distill);
            if (checkReference(distill, Distill.TEACHER, work.teacher())) {
                expect(distill, Distill.TEACHER, work.teacher(), Form.FLOAT);
            }
            return work;
        }
        return key == QUANTIZE
                ? Quantize.read(inner(fields, QUANTIZE, Quantize.SECTION))
                : Export.read(inner(fields, EXPORT, Export.SECTION));
    }

    private static Fields inner(Fields fields, Key<Node> key, Section section) {
        return fields.section(key, section, key.name());
    }

    /** What the stage starts from. */
    private Optional<String> from(Fields fields, Optional<Work> work) {
        if (work.isPresent() && startsFromNothing(work.get())) {
            if (fields.has(FROM)) {
                fields.wrong(
                        FROM,
                        "does not go with %s; it starts from %s"
                                .formatted(
                                        work.get() instanceof Pretrain ? "pretrain" : "distill.student",
                                        work.get() instanceof Pretrain ? "nothing" : "its teacher"));
            }
            return Optional.empty();
        }
        String before = forms.keySet().stream().reduce(Recipe.MODEL, (earlier, later) -> later);
        String from = fields.find(FROM).orElse(before);
        return checkReference(fields, FROM, from) ? Optional.of(from) : Optional.empty();
    }

    /** What stages are compared with if nothing is said: the recipe's model, or where it has none, its first stage. */
    String baseline() {
        return forms.keySet().stream().findFirst().orElse(Recipe.MODEL);
    }

    private static boolean startsFromNothing(Work work) {
        return work instanceof Pretrain
                || work instanceof Distill distill && distill.student().isPresent();
    }

    /** Notes that {@code reference} is neither the model nor an earlier stage; false then. */
    boolean checkReference(Fields fields, Key<String> key, String reference) {
        if (forms.containsKey(reference)) {
            return true;
        }
        if (reference.equals(Recipe.MODEL)) {
            fields.wrong(key, "the recipe has no model; name one at the top, or an earlier stage here");
        } else if (all.contains(reference)) {
            fields.wrong(key, "'%s' is not an earlier stage; put it above this one".formatted(reference));
        } else {
            fields.wrong(
                    key, "there is no stage '%s'%s".formatted(reference, Suggestion.of(reference, forms.keySet())));
        }
        return false;
    }

    private void checkInput(Fields fields, Work work, Optional<String> from) {
        if (from.isEmpty()) {
            return;
        }
        switch (work) {
            case Pretrain pretrain -> {}
            case Prune prune -> expect(fields, FROM, from.get(), Form.FLOAT);
            case Distill distill -> expect(fields, FROM, from.get(), Form.FLOAT);
            case Quantize quantize -> expect(fields, FROM, from.get(), Form.FLOAT);
            case Export export -> {
                switch (export.target()) {
                    case GGUF -> expect(fields, FROM, from.get(), Form.FLOAT, Form.BLOCKS);
                    case ONNX -> {
                        if (forms.get(from.get()) == Form.FILE) {
                            fields.wrong(
                                    FROM, "'%s' has an exported file; this stage needs weights".formatted(from.get()));
                        }
                        checkOperators(fields, export, from.get());
                    }
                    case GPTQ, AWQ, COMPRESSED_TENSORS, BITSANDBYTES ->
                        checkLayout(fields, export.target().layout().orElseThrow(), from.get());
                }
            }
        }
    }

    /** Formats that no operator of ONNX multiplies by must become floats. */
    private void checkOperators(Fields fields, Export export, String from) {
        Optional<TensorFormat> format = Optional.ofNullable(formats.get(from));
        if (format.isPresent()
                && format.get() != ScalarFormat.I8
                && OnnxBlocks.of(format.get()).isEmpty()
                && export.weights().isEmpty()) {
            fields.wrong(
                    FROM,
                    "'%s' has %s weights, which no operator of ONNX multiplies by; quantize to int8, q8_0, q4_0 or an int4 group format, or add weights: f32 to the export"
                            .formatted(from, format.get().weightName()));
        }
    }

    /** Of the recipe's model only the plan knows what it is in. */
    private void checkLayout(Fields fields, HuggingFaceLayout layout, String from) {
        Form form = forms.getOrDefault(from, Form.UNKNOWN);
        Optional<TensorFormat> format = Optional.ofNullable(formats.get(from));
        boolean holds = format.map(layout::holds).orElse(from.equals(Recipe.MODEL) || form == Form.UNKNOWN);
        if (!holds) {
            String has = format.map(each -> each.weightName() + " weights").orElse(form.words);
            fields.wrong(
                    FROM,
                    "'%s' has %s, which the %s layout does not hold; quantize to %s"
                            .formatted(from, has, layout.id(), layout.formats()));
        }
    }

    private void expect(Fields fields, Key<String> key, String from, Form... allowed) {
        Form form = forms.getOrDefault(from, Form.UNKNOWN);
        if (form != Form.UNKNOWN && !List.of(allowed).contains(form)) {
            String needs = String.join(
                    " or ", List.of(allowed).stream().map(each -> each.words).toList());
            fields.wrong(key, "'%s' has %s; this stage needs %s".formatted(from, form.words, needs));
        }
    }

    private Form form(Work work, Optional<String> from) {
        return switch (work) {
            case Pretrain pretrain -> Form.FLOAT;
            case Prune prune -> from.map(forms::get).orElse(Form.UNKNOWN) == Form.FLOAT ? Form.FLOAT : Form.UNKNOWN;
            case Distill distill -> Form.FLOAT;
            case Quantize quantize -> form(quantize.mix().base());
            case Export export -> Form.FILE;
        };
    }

    private static Form form(TensorFormat format) {
        return switch (format) {
            case ScalarFormat scalar ->
                scalar == ScalarFormat.I8 ? Form.INT8 : scalar.rowScaled() ? Form.GROUPS : Form.FLOAT;
            case BlockFormat blocks -> GgmlType.of(blocks).isPresent() ? Form.BLOCKS : Form.GROUPS;
        };
    }
}
