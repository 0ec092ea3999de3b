package dev.demitasse.model.onnx;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TensorNames;
import dev.demitasse.model.Transposition;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A model in an ONNX file that Demitasse wrote: configuration from its metadata, weights from its initializers
 * ({@link OnnxNames#LAYOUT}), tokenizer from the tokenizer.json beside it.
 *
 * <p>Vectors and the embedding are views of the mapped file. Projections lie transposed in it, as MatMul multiplies them;
 * {@link #tensor} turns each the first time it is asked for into memory outside the heap, which is kept until closing.
 */
public final class OnnxCheckpoint implements Checkpoint {
    private final OnnxFile file;
    private final ModelConfig config;
    private final TensorNames names;
    private final Optional<Tokenizer> tokenizer;
    private final BlockInitializers blocks;
    private final Map<TensorKey, Tensor> turned = new ConcurrentHashMap<>();

    private OnnxCheckpoint(OnnxFile file, ModelConfig config, Optional<Tokenizer> tokenizer) {
        this.file = file;
        this.config = config;
        this.names = config.names();
        this.tokenizer = tokenizer;
        this.blocks = BlockInitializers.of(file, config);
    }

    /**
     * @throws InvalidRequestException if there is no such file, or another program's export
     * @throws MalformedModelException if it is broken, or a weight is missing or of the wrong shape
     */
    public static OnnxCheckpoint open(Path path) throws IOException {
        OnnxFile file = OnnxFile.open(path);
        try {
            Path tokenizerFile = path.toAbsolutePath().resolveSibling("tokenizer.json");
            Optional<Tokenizer> tokenizer = Files.exists(tokenizerFile)
                    ? Optional.of(Tokenizer.ofJson(tokenizerFile, Files.readString(tokenizerFile)))
                    : Optional.empty();
            OnnxCheckpoint checkpoint = new OnnxCheckpoint(file, config(file), tokenizer);
            checkpoint.config.tensors().forEach(checkpoint::stored);
            return checkpoint;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    private static ModelConfig config(OnnxFile file) {
        String config = file.metadata().get(OnnxNames.CONFIG);
        String layout = file.metadata().get(OnnxNames.LAYOUT);
        if (config == null || layout == null) {
            throw new InvalidRequestException(
                    file.path(),
                    "was not exported by Demitasse: it has no metadata '" + OnnxNames.CONFIG + "'",
                    "open the checkpoint it was made from");
        }
        if (!layout.equals(OnnxNames.LAYOUT_VERSION)) {
            throw new InvalidRequestException(
                    file.path(),
                    "has the layout '%s', expected '%s'".formatted(layout, OnnxNames.LAYOUT_VERSION),
                    "export it again with this version");
        }
        return Families.read(ConfigJson.parse(file.path(), config));
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public boolean has(TensorKey key) {
        // A tied head is not stored, though there is a tensor for it.
        boolean own = key.part() == Part.WEIGHT || key.part().beside();
        return file.tensors().containsKey(name(own ? key : place(key)));
    }

    /** The key that {@code key}'s tensor stands under. */
    private TensorKey place(TensorKey key) {
        return switch (key.part()) {
            case WEIGHT, BIAS, SCALE, OUTLIERS, OUTLIER_COLUMNS -> config.stored(key);
            case INPUT_SCALE, INPUT_ZERO_POINT -> config.input(key);
        };
    }

    @Override
    public Tensor tensor(TensorKey key) {
        TensorKey own = place(key);
        Tensor tensor = stored(own);
        if (blocks.has(tensor.name())) {
            return turned.computeIfAbsent(own, missing -> blocks.join(own, tensor));
        }
        return transposed(own) ? turned.computeIfAbsent(own, missing -> turn(tensor)) : tensor;
    }

    @Override
    public TensorFormat format(TensorKey key) {
        TensorKey own = place(key);
        Tensor tensor = stored(own);
        return blocks.has(tensor.name()) ? blocks.format(tensor.name()) : tensor.format();
    }

    /** The initializer, its shape and type checked. */
    private Tensor stored(TensorKey key) {
        Tensor tensor = file.tensors().get(name(key));
        if (tensor == null) {
            throw malformed("has no initializer '" + name(key) + "'");
        }
        if (blocks.has(tensor.name())) {
            blocks.check(key, tensor);
            return tensor;
        }
        long[] shape = config.shape(key);
        if (transposed(key)) {
            shape = new long[] {shape[1], shape[0]};
        }
        BlockInitializers.checkShape(file.path(), tensor, shape);
        if (key.part() == Part.INPUT_ZERO_POINT) {
            BlockInitializers.checkFormat(file.path(), tensor, ScalarFormat.U8);
            return tensor;
        }
        if (key.part() == Part.INPUT_SCALE) {
            BlockInitializers.checkFormat(file.path(), tensor, ScalarFormat.F32);
            float scale = tensor.toFloats()[0];
            if (!(scale > 0) || Float.isInfinite(scale)) {
                throw malformed("initializer '%s' is %s, which is no scale".formatted(tensor.name(), scale));
            }
            return tensor;
        }
        boolean integer = tensor.format() == ScalarFormat.I8 && key.part() == Part.WEIGHT && has(key.part(Part.SCALE));
        if (!integer && !(tensor.format() instanceof ScalarFormat scalar && scalar.floating())) {
            throw malformed("initializer '%s' is %s, not a weight"
                    .formatted(tensor.name(), tensor.format().id()));
        }
        return tensor;
    }

    private static boolean transposed(TensorKey key) {
        return key.part() == Part.WEIGHT
                && key.role().matrix()
                && switch (key.role()) {
                    case EMBEDDING, POSITION_EMBEDDING, TOKEN_TYPE_EMBEDDING -> false;
                    default -> true;
                };
    }

    private String name(TensorKey key) {
        return names.name(key);
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path(), problem, "the file was written wrongly; export it again");
    }

    /** {@code [in, out]} to {@code [out, in]}. */
    private Tensor turn(Tensor tensor) {
        MemorySegment target = file.arena().allocate(tensor.data().byteSize(), Long.BYTES);
        new Transposition(
                        tensor.data(),
                        tensor.rows(),
                        tensor.columns(),
                        tensor.columns(),
                        tensor.format().bytesPerBlock(),
                        target)
                .run();
        return new Tensor(tensor.name(), tensor.format(), new long[] {tensor.columns(), tensor.rows()}, target);
    }

    @Override
    public Optional<Tokenizer> tokenizer() {
        return tokenizer;
    }

    @Override
    public long fileBytes() throws IOException {
        long bytes = 0;
        for (Path part : file.files()) {
            bytes += Files.size(part);
        }
        return bytes;
    }

    @Override
    public void close() {
        file.close();
    }
}
