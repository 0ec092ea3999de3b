package dev.demitasse.export.huggingface;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.List;

/** What {@code quantization_config} of a config.json says to transformers and vLLM. */
final class QuantizationJson {
    private QuantizationJson() {}

    private static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /**
     * Whether GPTQ's zeros are stored less 1, as its first version has them. Zeros that differ are not: one of them may be 0, and
     * GPTQModel refuses them in the first version unless it has written them itself.
     */
    static boolean oneLess(IntegerGroup format) {
        return format.symmetric();
    }

    /**
     * For {@code GPTQConfig} of both.
     *
     * @param quantized modules of a layer by their names in it, told where not all are
     */
    static ObjectNode gptq(IntegerGroup format, List<String> quantized) {
        ObjectNode json = object();
        json.put("quant_method", "gptq");
        json.put("bits", format.bits());
        json.put("group_size", format.group());
        json.put("sym", format.symmetric());
        json.put("desc_act", false);
        json.put("true_sequential", true);
        json.put("lm_head", false);
        json.put("checkpoint_format", oneLess(format) ? "gptq" : "gptq_v2");
        if (!quantized.isEmpty()) {
            ArrayNode modules = json.putArray("modules_in_block_to_quantize").addArray();
            quantized.forEach(modules::add);
        }
        return json;
    }

    /** For {@code AwqConfig} of transformers and vLLM's. */
    static ObjectNode awq(IntegerGroup format, List<String> left) {
        ObjectNode json = object();
        json.put("quant_method", "awq");
        json.put("bits", format.bits());
        json.put("group_size", format.group());
        json.put("zero_point", true);
        json.put("version", "gemm");
        left.forEach(json.putArray("modules_to_not_convert")::add);
        return json;
    }

    /** For {@code BitsAndBytesConfig}. */
    static ObjectNode bitsandbytes(List<String> left) {
        ObjectNode json = object();
        json.put("quant_method", "bitsandbytes");
        json.put("load_in_4bit", true);
        json.put("load_in_8bit", false);
        json.put("bnb_4bit_quant_type", "nf4");
        json.put("bnb_4bit_use_double_quant", false);
        json.put("bnb_4bit_compute_dtype", "float16");
        json.put("bnb_4bit_quant_storage", "uint8");
        left.forEach(json.putArray("llm_int8_skip_modules")::add);
        return json;
    }

    /** For compressed-tensors (compressed_tensors/quantization/quant_config.py and quant_args.py). */
    static ObjectNode compressedTensors(TensorFormat format, List<String> left) {
        ObjectNode weights;
        ObjectNode inputs = object();
        String layout;
        if (format instanceof IntegerGroup groups) {
            weights = arguments("int", groups.bits(), groups.symmetric(), "group", false);
            weights.put("group_size", groups.group());
            layout = "pack-quantized";
        } else {
            String type = format == ScalarFormat.I8 ? "int" : "float";
            weights = arguments(type, 8, true, "channel", false);
            inputs = arguments(type, 8, true, "token", true);
            layout = type + "-quantized";
        }
        ObjectNode group = object();
        group.putArray("targets").add("Linear");
        group.set("weights", weights);
        group.set("input_activations", inputs.isEmpty() ? JsonNodeFactory.instance.nullNode() : inputs);
        group.putNull("output_activations");
        ObjectNode json = object();
        json.put("quant_method", "compressed-tensors");
        json.put("format", layout);
        json.put("quantization_status", "compressed");
        json.putNull("kv_cache_scheme");
        json.putObject("config_groups").set("group_0", group);
        ArrayNode ignored = json.putArray("ignore");
        left.forEach(ignored::add);
        return json;
    }

    private static ObjectNode arguments(String type, int bits, boolean symmetric, String strategy, boolean dynamic) {
        ObjectNode json = object();
        json.put("num_bits", bits);
        json.put("type", type);
        json.put("symmetric", symmetric);
        json.put("strategy", strategy);
        json.put("dynamic", dynamic);
        json.putNull("group_size");
        json.putNull("block_structure");
        json.putNull("actorder");
        json.put("observer", "minmax");
        json.putObject("observer_kwargs");
        return json;
    }
}
