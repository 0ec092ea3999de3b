package dev.demitasse.export.huggingface;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.packed.AwqLayout;
import dev.demitasse.model.packed.GptqLayout;
import dev.demitasse.model.packed.GroupLayout;
import dev.demitasse.model.packed.GroupLayout.Sizes;
import dev.demitasse.model.packed.GroupedCodes;
import dev.demitasse.model.packed.NormalFloatLayout;
import dev.demitasse.model.packed.PackQuantizedLayout;
import dev.demitasse.model.packed.PackedLayout.Part;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.util.LinkedHashMap;
import java.util.Map;

/** What stands for a quantized weight in the files of another tool. */
sealed interface WeightPacking {
    /** @param format of a weight, one that {@code layout} holds */
    static WeightPacking of(HuggingFaceLayout layout, TensorFormat format) {
        return switch (layout) {
            case GPTQ -> {
                IntegerGroup groups = (IntegerGroup) format;
                yield new Groups(new GptqLayout(QuantizationJson.oneLess(groups)), groups);
            }
            case AWQ -> new Groups(new AwqLayout(), (IntegerGroup) format);
            case COMPRESSED_TENSORS ->
                format instanceof IntegerGroup groups
                        ? new Groups(new PackQuantizedLayout(), groups)
                        : new Rows(format);
            case BITSANDBYTES -> new NormalFloat(new NormalFloatLayout());
        };
    }

    /** The tensors that a module has, by their names after the module's, and what each will be. */
    Map<String, Slot> slots(LinearModule module);

    /**
     * The same tensors, filled.
     *
     * @param weight {@code [out, in]}
     * @param scales of its rows, if its format has them
     */
    Map<String, Tensor> pack(Tensor weight, float[] scales);

    /** Groups of integers. */
    record Groups(GroupLayout layout, IntegerGroup format) implements WeightPacking {
        @Override
        public Map<String, Slot> slots(LinearModule module) {
            Sizes sizes = new Sizes(module.rows(), module.columns(), format.bits(), module.columns() / format.group());
            return WeightPacking.slots(layout.parts(sizes, format.symmetric()));
        }

        @Override
        public Map<String, Tensor> pack(Tensor weight, float[] scales) {
            return layout.pack(GroupedCodes.of(weight));
        }
    }

    /** One scale a row, in a column beside the weight. */
    record Rows(TensorFormat format) implements WeightPacking {
        @Override
        public Map<String, Slot> slots(LinearModule module) {
            Map<String, Slot> slots = new LinkedHashMap<>();
            slots.put("weight", new Slot(format, new long[] {module.rows(), module.columns()}));
            slots.put("weight_scale", new Slot(ScalarFormat.F32, new long[] {module.rows(), 1}));
            return slots;
        }

        @Override
        public Map<String, Tensor> pack(Tensor weight, float[] scales) {
            return Map.of("weight", weight, "weight_scale", Tensor.ofFloats("weight_scale", scales, scales.length, 1));
        }
    }

    /** NF4. */
    record NormalFloat(NormalFloatLayout layout) implements WeightPacking {
        @Override
        public Map<String, Slot> slots(LinearModule module) {
            return WeightPacking.slots(layout.parts(module.rows(), module.columns()));
        }

        @Override
        public Map<String, Tensor> pack(Tensor weight, float[] scales) {
            return layout.pack(weight, scales);
        }
    }

    private static Map<String, Slot> slots(Map<String, Part> parts) {
        Map<String, Slot> slots = new LinkedHashMap<>();
        parts.forEach((name, part) -> slots.put(name, new Slot(part.format(), part.shape())));
        return slots;
    }
}
