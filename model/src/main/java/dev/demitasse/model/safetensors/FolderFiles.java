package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.TreeMap;

/** What stands in a checkpoint's folder beside its weights. */
public final class FolderFiles {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private FolderFiles() {}

    /**
     * Writes tokenizer and chat template, if there are any, and config.json last: without it a folder is no checkpoint.
     *
     * @param torchType the type of what is not quantized, as transformers names it
     * @param quantization how the rest is, if it is
     */
    public static void write(
            Path folder,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            String torchType,
            Optional<ObjectNode> quantization)
            throws IOException {
        if (tokenizer.isPresent()) {
            AtomicFile.write(folder.resolve("tokenizer.json"), tokenizer.get().json());
            writeChatTemplate(folder, tokenizer.get().chatTemplate());
        }
        ObjectNode json = config.family().write(config);
        json.put("torch_dtype", torchType);
        quantization.ifPresent(node -> json.set("quantization_config", node));
        AtomicFile.write(folder.resolve("config.json"), JSON.writeValueAsString(json) + "\n");
    }

    private static void writeChatTemplate(Path folder, Optional<ChatTemplate> template) throws IOException {
        if (template.isPresent()) {
            ObjectNode json = JSON.createObjectNode();
            json.put("tokenizer_class", "PreTrainedTokenizerFast");
            new TreeMap<>(template.get().specialTokens()).forEach(json::put);
            json.put("chat_template", template.get().source());
            AtomicFile.write(folder.resolve("tokenizer_config.json"), JSON.writeValueAsString(json) + "\n");
        }
    }
}
