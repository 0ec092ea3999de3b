package dev.demitasse.model.pytorch;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.TensorFile;
import dev.demitasse.model.pytorch.PickleValue.Storage;
import dev.demitasse.model.pytorch.PickleValue.View;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A state dict that torch.save wrote (PyTorch 1.6 and newer), mapped: a zip file of {@code NAME/data.pkl}, which tells the
 * tensors, and {@code NAME/data/KEY}, their bytes. Read by an allow-list: nothing in it is run.
 * Format: pytorch/torch/serialization.py, {@code _save}.
 */
public final class PytorchFile implements TensorFile {
    private static final String ADVICE =
            "load it in Python and save it with safetensors.torch.save_file, or fetch the model's safetensors";
    private static final String PICKLE = "/data.pkl";
    private static final long MAXIMUM_PICKLE = 32 << 20;

    private final Path path;
    private final Arena arena;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private PytorchFile(Path path, Arena arena) {
        this.path = path;
        this.arena = arena;
    }

    /**
     * @throws InvalidRequestException if there is no such file
     * @throws MalformedModelException if it is not a whole state dict, or holds more than tensors
     */
    public static PytorchFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "check the name");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            PytorchFile opened = new PytorchFile(path, arena);
            opened.read(file);
            return opened;
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private void read(MemorySegment file) {
        if (file.byteSize() < 4
                || file.get(ValueLayout.JAVA_BYTE, 0) != 'P'
                || file.get(ValueLayout.JAVA_BYTE, 1) != 'K') {
            throw new MalformedModelException(
                    path, "is no zip file, as PyTorch writes since 1.6: a pickle of old, or damaged", ADVICE);
        }
        Map<String, MemorySegment> entries = StoredZip.read(path, file);
        String pickle = entries.keySet().stream()
                .filter(name -> name.endsWith(PICKLE) && name.indexOf('/') == name.length() - PICKLE.length())
                .findFirst()
                .orElseThrow(() -> new MalformedModelException(path, "has no data.pkl", ADVICE));
        String folder = pickle.substring(0, pickle.length() - PICKLE.length());
        MemorySegment order = entries.get(folder + "/byteorder");
        if (order != null && !text(order).equals("little")) {
            throw new MalformedModelException(path, "has its bytes in the order '" + text(order) + "'", ADVICE);
        }
        MemorySegment bytes = entries.get(pickle);
        if (bytes == null || bytes.byteSize() > MAXIMUM_PICKLE) {
            throw new MalformedModelException(path, "has a data.pkl of over 32 MB, which tensors do not need", ADVICE);
        }
        TensorPickle.read(path, bytes.toArray(ValueLayout.JAVA_BYTE)).forEach((name, view) -> {
            MemorySegment storage =
                    entries.get(folder + "/data/" + view.storage().key());
            if (storage == null) {
                throw malformed(
                        name, "lies in the entry 'data/" + view.storage().key() + "', which is not there");
            }
            tensors.put(name, tensor(name, view, storage));
        });
    }

    private static String text(MemorySegment bytes) {
        return new String(
                bytes.asSlice(0, Math.min(20, bytes.byteSize())).toArray(ValueLayout.JAVA_BYTE),
                StandardCharsets.US_ASCII);
    }

    private Tensor tensor(String name, View view, MemorySegment bytes) {
        Storage storage = view.storage();
        long[] shape = view.shape().stream().mapToLong(Long::longValue).toArray();
        for (long dimension : shape) {
            if (dimension < 0) {
                throw malformed(name, "has the impossible shape " + view.shape());
            }
        }
        try {
            long elements = Tensor.elements(shape);
            long end = Math.addExact(view.offset(), elements);
            boolean inside = view.offset() >= 0
                    && end <= storage.elements()
                    && storage.format().bytes(storage.elements()) <= bytes.byteSize();
            if (!inside) {
                throw malformed(
                        name,
                        "takes elements %,d to %,d of %,d in %,d bytes"
                                .formatted(view.offset(), end, storage.elements(), bytes.byteSize()));
            }
            if (!contiguous(view, elements)) {
                throw new MalformedModelException(
                        path,
                        "tensor '%s' of shape %s has the strides %s: a view of another tensor"
                                .formatted(name, view.shape(), view.strides()),
                        ADVICE);
            }
            return new Tensor(
                    name,
                    storage.format(),
                    shape,
                    bytes.asSlice(
                            storage.format().bytes(view.offset()),
                            storage.format().bytes(elements)));
        } catch (ArithmeticException e) {
            throw new MalformedModelException(path, "tensor '" + name + "' has a shape past 2^63 bytes", ADVICE, e);
        }
    }

    /** Whether elements follow each other in row-major order; a dimension of one may have any stride. */
    private static boolean contiguous(View view, long elements) {
        long expected = 1;
        for (int d = view.shape().size() - 1; d >= 0 && elements > 0; d--) {
            if (view.shape().get(d) != 1 && view.strides().get(d) != expected) {
                return false;
            }
            expected *= view.shape().get(d);
        }
        return true;
    }

    private MalformedModelException malformed(String name, String problem) {
        return new MalformedModelException(
                path,
                "tensor '" + name + "' " + problem,
                "the file is damaged or was not written by torch.save; fetch it again");
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public void close() {
        arena.close();
    }
}
