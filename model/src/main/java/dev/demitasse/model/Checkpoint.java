package dev.demitasse.model;

import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgufCheckpoint;
import dev.demitasse.model.onnx.OnnxCheckpoint;
import dev.demitasse.model.safetensors.HuggingFaceCheckpoint;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A model's configuration, weights and tokenizer, wherever they lie: a Hugging Face folder, a GGUF file, an ONNX file.
 * Weights are views of mapped files; closing unmaps them, after which no tensor of it may be touched.
 */
public interface Checkpoint extends AutoCloseable {
    /**
     * Opens a folder with config.json and safetensors, a {@code .gguf} or an {@code .onnx}.
     *
     * @throws InvalidRequestException if there is no such thing
     * @throws MalformedModelException if it is broken
     */
    static Checkpoint open(Path path) throws IOException {
        String name = path.getFileName() == null ? "" : path.getFileName().toString();
        if (Files.isDirectory(path)) {
            return HuggingFaceCheckpoint.open(path);
        }
        if (!Files.exists(path)) {
            throw new InvalidRequestException(
                    path, "there is no such file or folder", "name a checkpoint folder, a .gguf or an .onnx");
        }
        if (name.endsWith(".gguf")) {
            return GgufCheckpoint.open(path);
        }
        if (name.endsWith(".onnx")) {
            return OnnxCheckpoint.open(path);
        }
        throw new InvalidRequestException(
                path, "not a model Demitasse can open", "name a checkpoint folder, a .gguf or an .onnx");
    }

    /** What was opened. */
    Path path();

    ModelConfig config();

    /** Whether the tensor is stored; a tied head is not. */
    boolean has(TensorKey key);

    /**
     * A view of the tensor, its shape checked against {@link ModelConfig#shape}. A tied {@link Role#HEAD} gives the
     * embedding.
     *
     * @throws MalformedModelException if the file has no such tensor, or one of another shape
     */
    Tensor tensor(TensorKey key);

    /**
     * What {@link #tensor} would be stored in. Asking costs nothing, where a tensor that the file holds in pieces is put
     * together each time it is asked for.
     *
     * @throws MalformedModelException as {@link #tensor}
     */
    TensorFormat format(TensorKey key);

    /**
     * The tensor itself, or of one whose rows have scales, or columns beside it, a copy on the heap with these multiplied in
     * and those in their places.
     */
    default Tensor decoded(TensorKey key) {
        Tensor tensor = tensor(key);
        Optional<Outliers> outliers = Outliers.find(key, this::has, this::tensor);
        if (!tensor.format().rowScaled() && outliers.isEmpty()) {
            return tensor;
        }
        float[] scales =
                tensor.format().rowScaled() ? tensor(key.part(Part.SCALE)).toFloats() : new float[0];
        Tensor decoded = Tensor.allocate(tensor.name(), ScalarFormat.F32, tensor.shape());
        float[] row = new float[tensor.columns()];
        for (int i = 0; i < tensor.rows(); i++) {
            tensor.readRow(i, row, 0);
            for (int column = 0; column < row.length && scales.length > 0; column++) {
                row[column] *= scales[i];
            }
            if (outliers.isPresent()) {
                outliers.get().overlay(i, row, 0);
            }
            decoded.writeRow(i, row, 0);
        }
        return decoded;
    }

    /** The tokenizer that came with the model, or nothing. */
    Optional<Tokenizer> tokenizer();

    /** The tokenizer that came with the model. */
    default Tokenizer requireTokenizer() {
        return tokenizer()
                .orElseThrow(() -> new InvalidRequestException(
                        path(), "has no tokenizer", "put the model's tokenizer.json beside it"));
    }

    /** How the model writes conversations, if that came with it. */
    default Optional<ChatTemplate> chatTemplate() {
        return tokenizer().flatMap(Tokenizer::chatTemplate);
    }

    /** Bytes of the files that hold the weights: what would be shipped. */
    long fileBytes() throws IOException;

    /** How many parameters are stored in each format, by format id. */
    default Map<String, Long> parametersByFormat() {
        Map<String, Long> counts = new TreeMap<>();
        for (TensorKey key : config().tensors()) {
            counts.merge(format(key).id(), Tensor.elements(config().shape(key)), Long::sum);
        }
        return counts;
    }

    /** The format that most parameters of the decoder layers' projections are stored in. */
    default TensorFormat projectionFormat() {
        return format(config().exampleProjection());
    }

    @Override
    void close();
}
