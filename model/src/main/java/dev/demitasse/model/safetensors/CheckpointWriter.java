package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Role;
import dev.demitasse.model.RotaryRows;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Writes a checkpoint folder in Hugging Face layout, tensor by tensor. config.json is written last, by {@link #commit}:
 * a folder without one is not a checkpoint.
 */
public final class CheckpointWriter implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private final Path folder;
    private final ModelConfig config;
    private final Optional<Tokenizer> tokenizer;
    private final Map<TensorKey, TensorFormat> formats;
    private final SafetensorsWriter weights;

    private CheckpointWriter(
            Path folder,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            Map<TensorKey, TensorFormat> formats,
            SafetensorsWriter weights) {
        this.folder = folder;
        this.config = config;
        this.tokenizer = tokenizer;
        this.formats = formats;
        this.weights = weights;
    }

    /**
     * @param folder is made if need be
     * @param config of the tensors that will be written; where it pairs rotary dimensions as GGUF does, rows of q and k
     *     are put into Hugging Face's order on the way
     * @param tokenizer is copied into the folder
     * @param format the format of each of {@link ModelConfig#tensors}; for {@link ScalarFormat#I8} a SCALE tensor is
     *     expected as well
     */
    public static CheckpointWriter create(
            Path folder, ModelConfig config, Optional<Tokenizer> tokenizer, Function<TensorKey, TensorFormat> format)
            throws IOException {
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        for (TensorKey key : config.tensors()) {
            TensorFormat chosen = format.apply(key);
            formats.put(key, chosen);
            if (chosen == ScalarFormat.I8) {
                formats.put(key.part(Part.SCALE), ScalarFormat.F32);
            }
        }
        Map<String, Slot> slots = new LinkedHashMap<>();
        formats.forEach((key, chosen) ->
                slots.put(config.family().names().huggingFace(key), new Slot(chosen, config.shape(key))));
        return new CheckpointWriter(
                folder,
                config,
                tokenizer,
                formats,
                SafetensorsWriter.create(folder.resolve("model.safetensors"), slots, Map.of("format", "pt")));
    }

    /** Writes a tensor, converted to its slot's format. */
    public void write(TensorKey key, Tensor tensor) throws IOException {
        Tensor ordered = RotaryRows.rotate(key.role()) ? RotaryRows.inOrder(tensor, config, Pairing.HALVES) : tensor;
        weights.write(config.family().names().huggingFace(key), ordered);
    }

    /** Completes the folder; every tensor must have been written. */
    public void commit() throws IOException {
        weights.commit();
        if (tokenizer.isPresent()) {
            AtomicFile.write(folder.resolve("tokenizer.json"), tokenizer.get().json());
        }
        ObjectNode json = config.family().write(config);
        json.put("torch_dtype", torchType());
        quantization().ifPresent(quantization -> json.set("quantization_config", quantization));
        AtomicFile.write(folder.resolve("config.json"), JSON.writeValueAsString(json) + "\n");
    }

    /** The type of what is not quantized, as transformers names it. */
    private String torchType() {
        TensorFormat format = formats.get(TensorKey.weight(Role.FINAL_NORM));
        if (format == ScalarFormat.BF16) {
            return "bfloat16";
        }
        return format == ScalarFormat.F16 ? "float16" : "float32";
    }

    private Optional<ObjectNode> quantization() {
        Optional<TensorFormat> quantized = formats.values().stream()
                .filter(format -> format == ScalarFormat.I8 || format instanceof BlockFormat)
                .findFirst();
        return quantized.map(format -> {
            ObjectNode node = JSON.createObjectNode();
            node.put("quant_method", "demitasse");
            node.put("format", format.weightName());
            return node;
        });
    }

    @Override
    public void close() throws IOException {
        weights.close();
    }
}
