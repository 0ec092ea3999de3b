package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Families;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Pieces;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.ToIntFunction;

/**
 * Writes a checkpoint folder in Hugging Face layout, tensor by tensor. config.json is written last, by {@link #commit}:
 * a folder without one is not a checkpoint.
 */
public final class CheckpointWriter implements AutoCloseable {
    private final Path folder;
    private final ModelConfig config;
    private final Optional<Tokenizer> tokenizer;
    private final Map<TensorKey, TensorFormat> formats;
    private final Map<TensorKey, List<Piece>> places;
    private final SafetensorsWriter weights;

    private CheckpointWriter(
            Path folder,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            Map<TensorKey, TensorFormat> formats,
            Map<TensorKey, List<Piece>> places,
            SafetensorsWriter weights) {
        this.folder = folder;
        this.config = config;
        this.tokenizer = tokenizer;
        this.formats = formats;
        this.places = places;
        this.weights = weights;
    }

    /**
     * @param folder is made if need be
     * @param config of the tensors that will be written; where they are in another form than a Hugging Face checkpoint of
     *     the family has them, as those of a GGUF file, they are converted on the way
     * @param tokenizer is copied into the folder
     * @param format the format of each of {@link ModelConfig#tensors}; where it is {@link TensorFormat#rowScaled} a
     *     SCALE tensor is expected as well
     * @throws dev.demitasse.model.InvalidRequestException if the config.json of the family cannot describe the model
     */
    public static CheckpointWriter create(
            Path folder, ModelConfig config, Optional<Tokenizer> tokenizer, Function<TensorKey, TensorFormat> format)
            throws IOException {
        return create(folder, Optional.empty(), config, tokenizer, format, key -> 0);
    }

    /**
     * As {@link #create}, with columns kept beside weights.
     *
     * @param outliers how many columns of each weight are kept as {@link Outliers}: for those above 0 both their tensors
     *     are expected as well
     */
    public static CheckpointWriter create(
            Path folder,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            Function<TensorKey, TensorFormat> format,
            ToIntFunction<TensorKey> outliers)
            throws IOException {
        return create(folder, Optional.empty(), config, tokenizer, format, outliers);
    }

    /**
     * As {@link #create}, but what was written of the tensors stays in {@code partial}, a file on the folder's disk, until
     * all are: see {@link SafetensorsWriter#resume}.
     */
    public static CheckpointWriter resume(
            Path folder,
            Path partial,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            Function<TensorKey, TensorFormat> format,
            ToIntFunction<TensorKey> outliers)
            throws IOException {
        return create(folder, Optional.of(partial), config, tokenizer, format, outliers);
    }

    private static CheckpointWriter create(
            Path folder,
            Optional<Path> partial,
            ModelConfig config,
            Optional<Tokenizer> tokenizer,
            Function<TensorKey, TensorFormat> format,
            ToIntFunction<TensorKey> outliers)
            throws IOException {
        Families.requireWritable(folder.resolve("config.json"), config);
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        Map<TensorKey, long[]> shapes = new HashMap<>();
        for (TensorKey key : config.tensors()) {
            TensorFormat chosen = format.apply(key);
            formats.put(key, chosen);
            if (chosen.rowScaled()) {
                formats.put(key.part(Part.SCALE), ScalarFormat.F32);
            }
            int kept = key.part() == Part.WEIGHT ? outliers.applyAsInt(key) : 0;
            if (kept > 0) {
                formats.put(key.part(Part.OUTLIERS), ScalarFormat.F16);
                formats.put(key.part(Part.OUTLIER_COLUMNS), ScalarFormat.I32);
                shapes.put(key.part(Part.OUTLIERS), new long[] {config.rows(key), kept});
                shapes.put(key.part(Part.OUTLIER_COLUMNS), new long[] {kept});
            }
        }
        Map<TensorKey, List<Piece>> places = places(config.names(), config, formats, shapes);
        Map<String, Slot> slots = new LinkedHashMap<>();
        places.forEach((key, pieces) ->
                pieces.forEach(piece -> slots.put(piece.name(), new Slot(formatOf(key, formats), piece.shape()))));
        Path path = folder.resolve("model.safetensors");
        Map<String, String> metadata = Map.of("format", "pt");
        SafetensorsWriter weights = partial.isPresent()
                ? SafetensorsWriter.resume(path, partial.get(), slots, metadata)
                : SafetensorsWriter.create(path, slots, metadata);
        return new CheckpointWriter(folder, config, tokenizer, formats, places, weights);
    }

    /**
     * Where the family has each tensor; but those that would share a tensor of several formats, or of blocks, stand
     * alone under their {@link TensorNames#name}.
     */
    private static Map<TensorKey, List<Piece>> places(
            TensorNames names,
            ModelConfig config,
            Map<TensorKey, TensorFormat> formats,
            Map<TensorKey, long[]> shapes) {
        Map<String, Set<TensorFormat>> mixed = new HashMap<>();
        formats.forEach((key, format) -> {
            if (!key.part().beside()) {
                names.huggingFace(key)
                        .forEach(piece -> mixed.computeIfAbsent(piece.name(), name -> new HashSet<>())
                                .add(format));
            }
        });
        Map<TensorKey, List<Piece>> places = new LinkedHashMap<>();
        formats.forEach((key, format) -> {
            boolean alone = key.part().beside()
                    || !(format instanceof ScalarFormat scalar && scalar.floating())
                    || names.huggingFace(key).stream()
                            .anyMatch(piece ->
                                    mixed.getOrDefault(piece.name(), Set.of()).size() > 1);
            long[] shape = shapes.getOrDefault(key, config.shape(key));
            places.put(key, alone ? List.of(Piece.whole(names.name(key), shape, false)) : names.huggingFace(key));
        });
        return places;
    }

    private static TensorFormat formatOf(TensorKey key, Map<TensorKey, TensorFormat> formats) {
        return Optional.ofNullable(formats.get(key)).orElseThrow();
    }

    /** Writes a tensor, converted to its slot's format. */
    public void write(TensorKey key, Tensor tensor) throws IOException {
        List<Piece> pieces = places.get(key);
        boolean kept = key.part() == Part.OUTLIERS || key.part() == Part.OUTLIER_COLUMNS;
        long[] shape = kept && pieces != null ? pieces.getFirst().shape() : config.shape(key);
        if (pieces == null || !Arrays.equals(tensor.shape(), shape)) {
            throw new IllegalArgumentException("no slot for " + key + " " + tensor);
        }
        Tensor ordered = key.part() == Part.OUTLIER_COLUMNS
                ? tensor
                : TensorForm.convert(tensor, key, config, config.huggingFaceForm());
        Pieces.scatter(ordered.to(formatOf(key, formats)), pieces, weights::write);
    }

    /** The file that tensors are written to: for going on where another process was cut off. */
    public SafetensorsWriter weights() {
        return weights;
    }

    /** Completes the folder; every tensor must have been written. */
    public void commit() throws IOException {
        weights.commit();
        FolderFiles.write(folder, config, tokenizer, torchType(), quantization());
    }

    /** The type of what is not quantized, as transformers names it. */
    private String torchType() {
        TensorFormat format = formats.get(TensorKey.weight(Role.EMBEDDING));
        if (format == ScalarFormat.BF16) {
            return "bfloat16";
        }
        return format == ScalarFormat.F16 ? "float16" : "float32";
    }

    private Optional<ObjectNode> quantization() {
        Optional<TensorFormat> quantized = formats.values().stream()
                .filter(format -> format.rowScaled() || format instanceof BlockFormat)
                .findFirst();
        return quantized.map(format -> {
            ObjectNode node = JsonNodeFactory.instance.objectNode();
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
