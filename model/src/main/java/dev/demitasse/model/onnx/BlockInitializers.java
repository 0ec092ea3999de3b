package dev.demitasse.model.onnx;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** The weights of block formats in an ONNX file: codes, scales and zeros as {@link OnnxBlocks} tells. */
final class BlockInitializers {
    private static final String REMEDY = "the file was written wrongly; export it again";

    private final OnnxFile file;
    private final ModelConfig config;
    private final Map<String, OnnxBlocks> forms = new HashMap<>();

    private BlockInitializers(OnnxFile file, ModelConfig config) {
        this.file = file;
        this.config = config;
    }

    /** @throws MalformedModelException if the file names formats that it cannot hold */
    static BlockInitializers of(OnnxFile file, ModelConfig config) {
        BlockInitializers blocks = new BlockInitializers(file, config);
        file.metadata().getOrDefault(OnnxNames.BLOCKS, "").lines().forEach(line -> {
            int space = line.lastIndexOf(' ');
            Optional<OnnxBlocks> form =
                    TensorFormat.of(line.substring(space + 1)).flatMap(OnnxBlocks::of);
            if (space < 1 || form.isEmpty()) {
                throw new MalformedModelException(
                        file.path(), "metadata '%s' has the line '%s'".formatted(OnnxNames.BLOCKS, line), REMEDY);
            }
            blocks.forms.put(line.substring(0, space), form.get());
        });
        return blocks;
    }

    /** Whether the weight {@code name} is of a block format. */
    boolean has(String name) {
        return forms.containsKey(name);
    }

    TensorFormat format(String name) {
        return form(name).format();
    }

    private OnnxBlocks form(String name) {
        return Optional.ofNullable(forms.get(name)).orElseThrow();
    }

    /**
     * Checks the codes of {@code key}'s weight and what goes with them.
     *
     * @throws MalformedModelException if they are not what its shape asks for
     */
    void check(TensorKey key, Tensor codes) {
        OnnxBlocks form = form(codes.name());
        if (!key.role().matrix() || key.part() != Part.WEIGHT || !form.format().fits(config.columns(key))) {
            throw malformed(
                    file.path(),
                    "'%s' cannot be of format %s"
                            .formatted(codes.name(), form.format().id()));
        }
        int rows = config.rows(key);
        int columns = config.columns(key);
        checkShape(file.path(), codes, rows, form.blocks(columns), form.codeBytes());
        checkFormat(file.path(), codes, ScalarFormat.U8);
        Tensor scales = beside(OnnxNames.blockScales(codes.name()));
        checkShape(file.path(), scales, rows, form.blocks(columns));
        checkFormat(file.path(), scales, ScalarFormat.F16);
        if (form.hasZeros()) {
            Tensor zeros = beside(OnnxNames.blockZeros(codes.name()));
            checkShape(file.path(), zeros, rows, form.zeroBytes(columns));
            checkFormat(file.path(), zeros, ScalarFormat.U8);
        }
    }

    private Tensor beside(String name) {
        return Optional.ofNullable(file.tensors().get(name))
                .orElseThrow(() -> malformed(file.path(), "has no initializer '" + name + "'"));
    }

    /** The tensor that the codes of {@code key}'s weight are of, in memory outside the heap that lives as long as the file. */
    Tensor join(TensorKey key, Tensor codes) {
        OnnxBlocks form = form(codes.name());
        Tensor scales = beside(OnnxNames.blockScales(codes.name()));
        Optional<Tensor> zeros =
                form.hasZeros() ? Optional.of(beside(OnnxNames.blockZeros(codes.name()))) : Optional.empty();
        int rows = config.rows(key);
        int columns = config.columns(key);
        MemorySegment target = file.arena().allocate(rows * form.format().bytes(columns), Long.BYTES);
        Tensor joined = new Tensor(codes.name(), form.format(), new long[] {rows, columns}, target);
        IntStream.range(0, rows)
                .parallel()
                .forEach(row -> form.join(
                        row(codes, row, form.blocks(columns) * form.codeBytes()),
                        row(scales, row, form.blocks(columns) * Short.BYTES),
                        zeros.map(tensor -> row(tensor, row, form.zeroBytes(columns)))
                                .orElse(new byte[0]),
                        target.asSlice(row * joined.rowBytes(), joined.rowBytes())));
        return joined;
    }

    private static byte[] row(Tensor tensor, int row, int bytes) {
        return tensor.data().asSlice((long) row * bytes, bytes).toArray(ValueLayout.JAVA_BYTE);
    }

    static void checkShape(Path path, Tensor tensor, long... shape) {
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw malformed(
                    path,
                    "initializer '%s' is %s, its configuration asks for %s"
                            .formatted(tensor.name(), Arrays.toString(tensor.shape()), Arrays.toString(shape)));
        }
    }

    static void checkFormat(Path path, Tensor tensor, ScalarFormat format) {
        if (tensor.format() != format) {
            throw malformed(
                    path,
                    "initializer '%s' is %s, expected %s"
                            .formatted(tensor.name(), tensor.format().id(), format.id()));
        }
    }

    private static MalformedModelException malformed(Path path, String problem) {
        return new MalformedModelException(path, problem, REMEDY);
    }
}
