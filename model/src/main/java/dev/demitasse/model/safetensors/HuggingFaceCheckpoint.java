package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.files.OnDemand;
import dev.demitasse.model.files.TensorFile;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.pytorch.PytorchFile;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A folder in Hugging Face layout: config.json, model.safetensors or its shards with an index (or pytorch_model.bin
 * likewise), tokenizer.json.
 * What GPTQ, AWQ, compressed-tensors and bitsandbytes have packed is unpacked as it is asked for, onto the heap.
 * INT8 and FP8 weights are matrices with a {@code weight_scale} beside them, as compressed-tensors lays them out; block
 * formats are U8 matrices of packed rows.
 */
public final class HuggingFaceCheckpoint implements Checkpoint {
    /** Files that may hold all weights, best first; in several files there is an index beside them. */
    public static final List<String> WEIGHTS = List.of("model.safetensors", "pytorch_model.bin");

    private final Path folder;
    private final ModelConfig config;
    private final TensorNames names;
    private final List<TensorFile> files;
    private final Map<String, Tensor> tensors;
    private final OnDemand<Optional<Tokenizer>> tokenizer;
    private final PackedWeights packed;

    private HuggingFaceCheckpoint(Path folder, ConfigJson json, ModelConfig config, List<TensorFile> files)
            throws IOException {
        this.folder = folder;
        this.config = config;
        this.names = config.names();
        this.files = files;
        this.tokenizer = new OnDemand<>(this::readTokenizer);
        this.tensors = new HashMap<>();
        JsonNode quantization = json.node("quantization_config");
        this.packed = PackedWeights.of(
                folder, quantization.isMissingNode() ? json.node("compression_config") : quantization, this::find);
        for (TensorFile file : files) {
            for (Tensor tensor : file.tensors().values()) {
                if (tensors.put(tensor.name(), tensor) != null) {
                    throw new MalformedModelException(
                            file.path(),
                            "has the tensor '" + tensor.name() + "', as another shard has",
                            "remove the files that do not belong to the checkpoint");
                }
            }
        }
    }

    /**
     * @throws InvalidRequestException if {@code folder} is not a checkpoint
     * @throws MalformedModelException if one of its files is broken, or a tensor is missing or of the wrong shape
     */
    public static HuggingFaceCheckpoint open(Path folder) throws IOException {
        Path configFile = folder.resolve("config.json");
        if (!Files.exists(configFile)) {
            throw new InvalidRequestException(
                    folder, "has no config.json", "name a folder in Hugging Face layout, a .gguf or an .onnx");
        }
        ConfigJson json = ConfigJson.read(configFile);
        ModelConfig config = Families.read(json);
        List<TensorFile> files = new ArrayList<>();
        try {
            for (Path file : weightFiles(folder)) {
                files.add(file.toString().endsWith(".bin") ? PytorchFile.open(file) : SafetensorsFile.open(file));
            }
            HuggingFaceCheckpoint checkpoint = new HuggingFaceCheckpoint(folder, json, config, files);
            config.tensors().forEach(checkpoint::format);
            return checkpoint;
        } catch (Throwable e) {
            files.forEach(TensorFile::close);
            throw e;
        }
    }

    private static List<Path> weightFiles(Path folder) throws IOException {
        for (String single : WEIGHTS) {
            if (Files.exists(folder.resolve(single))) {
                return List.of(folder.resolve(single));
            }
            Path index = folder.resolve(single + ".index.json");
            if (Files.exists(index)) {
                return ShardIndex.read(index).stream().map(folder::resolve).toList();
            }
        }
        throw new InvalidRequestException(
                folder,
                "has neither model.safetensors nor pytorch_model.bin, nor an index of either",
                "fetch the checkpoint's weights too");
    }

    @Override
    public Path path() {
        return folder;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public boolean has(TensorKey key) {
        if (keepsColumns(key)) {
            return tensors.containsKey(names.name(key));
        }
        return key.part() == Part.SCALE
                ? tensors.containsKey(names.name(key))
                        || find(names.huggingFace(key).getFirst().name()).isPresent()
                : config.has(key);
    }

    @Override
    public Tensor tensor(TensorKey key) {
        if (keepsColumns(key)) {
            return outliers(key);
        }
        TensorKey own = config.stored(key);
        List<Piece> pieces = pieces(own);
        return standsAlone(own)
                ? stored(pieces.getFirst(), own)
                : Pieces.gather(names.name(own), config.shape(own), pieces, piece -> stored(piece, own));
    }

    @Override
    public TensorFormat format(TensorKey key) {
        TensorKey own = config.stored(key);
        List<Piece> pieces = pieces(own);
        return packed.has(pieces.getFirst())
                ? packed.format(pieces.getFirst())
                : Pieces.format(names.name(own), pieces, piece -> stored(piece, own));
    }

    private static boolean keepsColumns(TensorKey key) {
        return key.part() == Part.OUTLIERS || key.part() == Part.OUTLIER_COLUMNS;
    }

    private Tensor outliers(TensorKey key) {
        Tensor columns = found(names.name(key.part(Part.OUTLIER_COLUMNS)));
        Tensor values = found(names.name(key.part(Part.OUTLIERS)));
        TensorKey weight = key.part(Part.WEIGHT);
        Outliers.check(folder, columns, values, config.rows(weight), config.columns(weight));
        return key.part() == Part.OUTLIERS ? values : columns;
    }

    private List<Piece> pieces(TensorKey key) {
        if (standsAlone(key)) {
            return List.of(Piece.whole(alone(key), config.shape(key), false));
        }
        return names.huggingFace(key).stream()
                .map(piece -> packed.has(piece) ? piece.untransposed() : piece)
                .toList();
    }

    private boolean standsAlone(TensorKey key) {
        return names.plain(key) || tensors.containsKey(alone(key));
    }

    private String alone(TensorKey key) {
        // A masked-language-model head that is not tied has its bias by both names, and adds the one beside its weight.
        return names.otherName(key).filter(tensors::containsKey).orElseGet(() -> names.name(key));
    }

    private Tensor found(Piece piece) {
        return found(piece.name());
    }

    private Tensor found(String name) {
        return find(name)
                .orElseThrow(() -> new MalformedModelException(
                        folder, "has no tensor '" + name + "'", "fetch the checkpoint again, all its files"));
    }

    private Tensor stored(Piece piece, TensorKey key) {
        if (packed.has(piece)) {
            return packed.tensor(piece);
        }
        if (key.part() == Part.SCALE) {
            return RowScales.read(folder, found(piece), piece.shape()[0], find(RowScales.zeros(piece.name())));
        }
        Tensor tensor = found(piece);
        if (!Arrays.equals(tensor.shape(), piece.shape())) {
            throw new MalformedModelException(
                    folder,
                    "tensor '%s' is %s, config.json asks for %s"
                            .formatted(piece.name(), Arrays.toString(tensor.shape()), Arrays.toString(piece.shape())),
                    "config.json and weights do not belong together");
        }
        boolean weight = tensor.format().rowScaled()
                ? key.part() == Part.WEIGHT && has(key.part(Part.SCALE))
                : tensor.format() instanceof BlockFormat
                        || tensor.format() instanceof ScalarFormat scalar && scalar.floating();
        if (!weight) {
            throw new MalformedModelException(
                    folder,
                    "tensor '" + piece.name() + "' is " + tensor.format().id() + ", not a weight",
                    "a quantized checkpoint of another tool; start from the unquantized one");
        }
        return tensor;
    }

    /** The file's tensor, also where the file leaves out the family's prefix or speaks of gamma and beta. */
    private Optional<Tensor> find(String name) {
        String prefix = names.optionalPrefix();
        String without = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
        for (String candidate : List.of(name, without)) {
            for (String spelled : List.of(candidate, oldSpelling(candidate))) {
                Tensor tensor = tensors.get(spelled);
                if (tensor != null) {
                    return Optional.of(tensor);
                }
            }
        }
        return Optional.empty();
    }

    /** Norms' tensors as the first BERT checkpoints call them. */
    private static String oldSpelling(String name) {
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    }

    @Override
    public Optional<Tokenizer> tokenizer() {
        return tokenizer.get();
    }

    private Optional<Tokenizer> readTokenizer() {
        try {
            return TokenizerFolder.read(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public long fileBytes() throws IOException {
        long bytes = 0;
        for (TensorFile file : files) {
            bytes += Files.size(file.path());
        }
        return bytes;
    }

    @Override
    public void close() {
        files.forEach(TensorFile::close);
    }
}
