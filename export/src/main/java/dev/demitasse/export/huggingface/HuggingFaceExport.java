package dev.demitasse.export.huggingface;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.FolderFiles;
import dev.demitasse.model.safetensors.SafetensorsWriter;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a quantized checkpoint as a folder in the layout of another quantizer, the same numbers to the bit. What that
 * quantizer's layout has no place for, embedding, head and norms as a rule, becomes float16.
 */
public final class HuggingFaceExport {
    private final Checkpoint source;
    private final ModelConfig config;
    private final ModelConfig form;
    private final HuggingFaceLayout layout;
    private final LayoutPlan plan;
    private final WeightPacking packing;
    private final ExportReport.Builder report = new ExportReport.Builder();

    private HuggingFaceExport(Checkpoint source, HuggingFaceLayout layout) {
        this.source = source;
        this.config = source.config();
        this.form = config.huggingFaceForm();
        this.layout = layout;
        this.plan = LayoutPlan.of(layout, config, source::format);
        this.packing = WeightPacking.of(layout, plan.format());
    }

    /**
     * Writes {@code folder}, which is made if need be.
     *
     * @throws InvalidRequestException if the layout does not hold the source's formats
     */
    public static ExportReport write(Checkpoint source, HuggingFaceLayout layout, Path folder, Progress progress)
            throws IOException {
        Outliers.refuse(source, "other tools' layout");
        Families.requireWritable(folder.resolve("config.json"), source.config());
        return new HuggingFaceExport(source, layout).write(folder, progress);
    }

    private ExportReport write(Path folder, Progress progress) throws IOException {
        Files.createDirectories(folder);
        Map<String, Slot> slots = new LinkedHashMap<>();
        for (LinearModule module : plan.packed()) {
            packing.slots(module).forEach((name, slot) -> slots.put(module.name() + "." + name, slot));
            report.stored(module.name(), plan.format().weightName());
        }
        List<TensorKey> others =
                config.tensors().stream().filter(key -> !plan.packs(key)).toList();
        for (TensorKey key : others) {
            for (Piece piece : form.names().huggingFace(key)) {
                slots.put(piece.name(), new Slot(ScalarFormat.F16, piece.shape()));
                noteFloat(key, piece.name());
            }
        }
        noteWhatReadersLack();
        Path file = folder.resolve("model.safetensors");
        progress.begin("writing " + layout.id(), slots.size(), "tensors");
        try (SafetensorsWriter writer = SafetensorsWriter.create(file, slots, Map.of("format", "pt"))) {
            for (LinearModule module : plan.packed()) {
                write(module, writer, progress);
            }
            for (TensorKey key : others) {
                Tensor tensor = TensorForm.convert(source.decoded(key), key, config, form)
                        .to(ScalarFormat.F16);
                Pieces.scatter(tensor, form.names().huggingFace(key), writer::write);
                progress.advance(1);
            }
            writer.commit();
        }
        FolderFiles.write(folder, form, source.tokenizer(), "float16", Optional.of(json()));
        progress.end();
        return report.build(List.of(folder.toAbsolutePath()), Files.size(file));
    }

    private void noteWhatReadersLack() {
        if (layout == HuggingFaceLayout.GPTQ && plan.format() instanceof IntegerGroup groups) {
            if (groups.bits() != 4 || !groups.symmetric()) {
                report.note("vLLM's GPTQ kernels take symmetric groups of 4 bits alone; GPTQModel takes these too");
            }
            if (!QuantizationJson.oneLess(groups)) {
                report.note("zeros are as checkpoint_format gptq_v2 has them, which AutoGPTQ does not read");
            }
        }
        plan.dividedForFusion().ifPresent(modules -> report.note("vLLM makes one module of both, but " + modules));
    }

    private void noteFloat(TensorKey key, String name) {
        TensorFormat stored = source.format(key);
        report.stored(name, ScalarFormat.F16.id());
        boolean floats = stored instanceof ScalarFormat scalar && scalar.floating();
        if (!floats) {
            report.changed(name, stored.weightName(), ScalarFormat.F16.id(), "the layout keeps it in float16");
        }
    }

    private void write(LinearModule module, SafetensorsWriter writer, Progress progress) throws IOException {
        TensorFormat format = plan.format();
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

    private ObjectNode json() {
        List<String> left = plan.leftNames();
        return switch (layout) {
            case GPTQ ->
                QuantizationJson.gptq((IntegerGroup) plan.format(), plan.isWhole() ? List.of() : plan.namesInLayer());
            case AWQ -> QuantizationJson.awq((IntegerGroup) plan.format(), left);
            case COMPRESSED_TENSORS -> QuantizationJson.compressedTensors(plan.format(), left);
            case BITSANDBYTES -> QuantizationJson.bitsandbytes(left);
        };
    }
}
