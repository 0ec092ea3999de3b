package dev.demitasse.export.huggingface;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.NF4;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.packed.AwqLayout;
import dev.demitasse.model.packed.GptqLayout;
import dev.demitasse.model.packed.NormalFloatLayout;
import dev.demitasse.model.packed.PackQuantizedLayout;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.FolderFiles;
import dev.demitasse.model.safetensors.SafetensorsWriter;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Writes a quantized checkpoint as a folder in the layout of another quantizer, the same numbers to the bit. What that
 * quantizer's layout has no place for, embedding, head and norms as a rule, becomes float16.
 */
public final class HuggingFaceExport {
    private static final int OUTPUTS_OF_KERNELS = 32;

    private final Checkpoint source;
    private final ModelConfig config;
    private final ModelConfig form;
    private final HuggingFaceLayout layout;
    private final ExportReport.Builder report = new ExportReport.Builder();

    private HuggingFaceExport(Checkpoint source, HuggingFaceLayout layout) {
        this.source = source;
        this.config = source.config();
        this.form = config.huggingFaceForm();
        this.layout = layout;
    }

    /**
     * Writes {@code folder}, which is made if need be.
     *
     * @throws InvalidRequestException if the layout does not hold the source's formats
     */
    public static ExportReport write(Checkpoint source, HuggingFaceLayout layout, Path folder, Progress progress)
            throws IOException {
        Families.requireWritable(folder.resolve("config.json"), source.config());
        return new HuggingFaceExport(source, layout).write(folder, progress);
    }

    private ExportReport write(Path folder, Progress progress) throws IOException {
        List<LinearModule> modules = LinearModule.of(form);
        TensorFormat format = format(modules);
        List<LinearModule> quantized =
                modules.stream().filter(module -> holds(module, format)).toList();
        boolean oneLess = layout == HuggingFaceLayout.GPTQ && zerosCanBeOneLess(quantized, format);
        WeightPacking packing = packing(format, oneLess);
        Set<TensorKey> packed = new HashSet<>();
        Map<String, Slot> slots = new LinkedHashMap<>();
        for (LinearModule module : quantized) {
            packed.addAll(module.weights());
            packing.slots(module).forEach((name, slot) -> slots.put(module.name() + "." + name, slot));
            report.stored(module.name(), format.weightName());
        }
        List<TensorKey> others =
                config.tensors().stream().filter(key -> !packed.contains(key)).toList();
        for (TensorKey key : others) {
            for (Piece piece : form.names().huggingFace(key)) {
                slots.put(piece.name(), new Slot(ScalarFormat.F16, piece.shape()));
                noteFloat(key, piece.name());
            }
        }
        Path file = folder.resolve("model.safetensors");
        progress.begin("writing " + layout.name().toLowerCase(java.util.Locale.ROOT), slots.size(), "tensors");
        try (SafetensorsWriter writer = SafetensorsWriter.create(file, slots, Map.of("format", "pt"))) {
            for (LinearModule module : quantized) {
                write(module, packing, writer, progress);
            }
            for (TensorKey key : others) {
                Tensor tensor = TensorForm.convert(source.decoded(key), key, config, form)
                        .to(ScalarFormat.F16);
                Pieces.scatter(tensor, form.names().huggingFace(key), writer::write);
                progress.advance(1);
            }
            writer.commit();
        }
        List<LinearModule> left =
                modules.stream().filter(module -> !quantized.contains(module)).toList();
        FolderFiles.write(
                folder, form, source.tokenizer(), "float16", Optional.of(json(format, oneLess, quantized, left)));
        progress.end();
        return report.build(List.of(folder.toAbsolutePath()), Files.size(file));
    }

    /** The one format that most linear modules are in and the layout holds. */
    private TensorFormat format(List<LinearModule> modules) {
        Map<TensorFormat, Long> elements = new LinkedHashMap<>();
        for (LinearModule module : modules) {
            Optional<TensorFormat> common = common(module);
            if (common.isPresent() && fits(common.get())) {
                elements.merge(common.get(), (long) module.rows() * module.columns(), Long::sum);
            }
        }
        return elements.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElseThrow(() -> new InvalidRequestException(
                        source.path(),
                        "has weights in %s, which the %s layout does not hold"
                                .formatted(source.projectionFormat().weightName(), name()),
                        "quantize to " + wanted()));
    }

    private String name() {
        return layout.name().toLowerCase(java.util.Locale.ROOT);
    }

    private String wanted() {
        return switch (layout) {
            case GPTQ -> "int4_g128 or another int4 or int3 format";
            case AWQ -> "int4_g128_asym or another int4 format";
            case COMPRESSED_TENSORS -> "int8, fp8, int4_g128 or another int4 format";
            case BITSANDBYTES -> "nf4";
        };
    }

    private boolean fits(TensorFormat format) {
        return switch (layout) {
            case GPTQ -> format instanceof IntegerGroup;
            case AWQ -> format instanceof IntegerGroup groups && groups.bits() == 4;
            case COMPRESSED_TENSORS ->
                format == ScalarFormat.I8
                        || format == ScalarFormat.F8_E4M3
                        || format instanceof IntegerGroup groups && groups.bits() == 4;
            case BITSANDBYTES -> format instanceof NF4;
        };
    }

    private Optional<TensorFormat> common(LinearModule module) {
        List<TensorFormat> formats =
                module.weights().stream().map(source::format).distinct().toList();
        return formats.size() == 1 ? Optional.of(formats.getFirst()) : Optional.empty();
    }

    /** Whether the module is written packed. */
    private boolean holds(LinearModule module, TensorFormat format) {
        if (!common(module).equals(Optional.of(format))) {
            return false;
        }
        boolean whole = !(format instanceof IntegerGroup) || module.rows() % OUTPUTS_OF_KERNELS == 0;
        boolean inOrder = !module.transposed() || layout == HuggingFaceLayout.GPTQ;
        if (!whole || !inOrder) {
            String why = whole
                    ? "the layout has no modules whose weights stand turned"
                    : "%,d outputs are no multiple of %d".formatted(module.rows(), OUTPUTS_OF_KERNELS);
            report.changed(module.name(), format.weightName(), ScalarFormat.F16.id(), why);
        }
        return whole && inOrder;
    }

    /** The older GPTQ layout stores each zero less 1, and so cannot say 0. */
    private boolean zerosCanBeOneLess(List<LinearModule> modules, TensorFormat format) {
        if (!(format instanceof IntegerGroup groups) || groups.symmetric()) {
            return true;
        }
        for (LinearModule module : modules) {
            for (TensorKey key : module.weights()) {
                if (groups.hasZeroAtCode0(source.tensor(key).data())) {
                    report.note(
                            "some zeros are code 0, which only checkpoint_format gptq_v2 can say: vLLM and GPTQModel"
                                    + " read it, AutoGPTQ does not");
                    return false;
                }
            }
        }
        return true;
    }

    private WeightPacking packing(TensorFormat format, boolean oneLess) {
        return switch (layout) {
            case GPTQ -> new WeightPacking.Groups(new GptqLayout(oneLess), (IntegerGroup) format);
            case AWQ -> new WeightPacking.Groups(new AwqLayout(), (IntegerGroup) format);
            case COMPRESSED_TENSORS ->
                format instanceof IntegerGroup groups
                        ? new WeightPacking.Groups(new PackQuantizedLayout(), groups)
                        : new WeightPacking.Rows(format);
            case BITSANDBYTES -> new WeightPacking.NormalFloat(new NormalFloatLayout());
        };
    }

    private void noteFloat(TensorKey key, String name) {
        TensorFormat stored = source.format(key);
        report.stored(name, ScalarFormat.F16.id());
        boolean floats = stored instanceof ScalarFormat scalar && scalar.floating();
        if (!floats) {
            report.changed(name, stored.weightName(), ScalarFormat.F16.id(), "the layout keeps it in float16");
        }
    }

    private void write(LinearModule module, WeightPacking packing, SafetensorsWriter writer, Progress progress)
            throws IOException {
        TensorFormat format = common(module).orElseThrow();
        Tensor whole = Tensor.allocate(module.name(), format, module.rows(), module.columns());
        float[] scales = new float[format.rowScaled() ? module.rows() : 0];
        for (TensorKey key : module.weights()) {
            Tensor part = TensorForm.convert(source.tensor(key), key, config, form);
            Pieces.scatter(
                    part,
                    List.of(form.names().huggingFace(key).getFirst().untransposed()),
                    (name, at, bytes) ->
                            whole.data().asSlice(at, bytes.byteSize()).copyFrom(bytes));
            if (format.rowScaled()) {
                addScales(key, scales);
            }
        }
        for (Map.Entry<String, Tensor> tensor : packing.pack(whole, scales).entrySet()) {
            writer.write(
                    module.name() + "." + tensor.getKey(), 0, tensor.getValue().data());
            progress.advance(1);
        }
    }

    private void addScales(TensorKey weight, float[] scales) {
        TensorKey key = weight.part(Part.SCALE);
        float[] part = TensorForm.convert(source.tensor(key), key, config, form).toFloats();
        Piece piece = form.names().huggingFace(weight).getFirst();
        for (long run = 0; run < piece.count(); run++) {
            for (long i = 0; i < piece.run(); i++) {
                int from = Math.toIntExact(piece.at() + run * piece.run() + i);
                scales[Math.toIntExact(piece.start() + run * piece.stride() + i)] = part[from];
            }
        }
    }

    private ObjectNode json(
            TensorFormat format, boolean oneLess, List<LinearModule> quantized, List<LinearModule> left) {
        List<String> names = left.stream().map(LinearModule::name).toList();
        return switch (layout) {
            case GPTQ -> QuantizationJson.gptq((IntegerGroup) format, oneLess, inLayer(quantized, left));
            case AWQ -> QuantizationJson.awq((IntegerGroup) format, names);
            case COMPRESSED_TENSORS -> QuantizationJson.compressedTensors(format, head(names));
            case BITSANDBYTES -> QuantizationJson.bitsandbytes(head(names));
        };
    }

    /** A head that is tied is a module too. */
    private static List<String> head(List<String> names) {
        return names.contains("lm_head")
                ? names
                : Stream.concat(names.stream(), Stream.of("lm_head")).toList();
    }

    /** Names of modules within their layers; none if all of the layers' are quantized. */
    private static List<String> inLayer(List<LinearModule> quantized, List<LinearModule> left) {
        boolean all = left.stream()
                .noneMatch(module -> module.weights().getFirst().role().perLayer());
        List<String> names = new ArrayList<>();
        for (LinearModule module : all ? List.<LinearModule>of() : quantized) {
            String name = module.name().replaceFirst("^.*?\\.\\d+\\.", "");
            if (!names.contains(name)) {
                names.add(name);
            }
        }
        return names;
    }
}
