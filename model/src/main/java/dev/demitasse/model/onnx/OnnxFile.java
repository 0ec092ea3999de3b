package dev.demitasse.model.onnx;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.ProtobufReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An ONNX file, mapped: its metadata and its initializers, be they in the file or in data files beside it. The graph's
 * nodes are not read. Field numbers: github.com/onnx/onnx, onnx.proto.
 */
final class OnnxFile implements AutoCloseable {
    private static final int MODEL_GRAPH = 7;
    private static final int MODEL_METADATA = 14;
    private static final int GRAPH_INITIALIZER = 5;
    private static final int ENTRY_KEY = 1;
    private static final int ENTRY_VALUE = 2;
    private static final int MAXIMUM_TEXT = 16 << 20;

    private final Path path;
    private final Arena arena;
    private final Map<String, MemorySegment> dataFiles = new HashMap<>();
    private final List<Path> files = new ArrayList<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private OnnxFile(Path path, Arena arena) {
        this.path = path;
        this.arena = arena;
    }

    /**
     * @throws InvalidRequestException if there is no such file
     * @throws MalformedModelException if it is no ONNX file, or not a whole one
     */
    static OnnxFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "check the name");
        }
        Arena arena = Arena.ofShared();
        try {
            OnnxFile file = new OnnxFile(path, arena);
            file.readModel(new ProtobufReader(path, file.map(path)));
            return file;
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private MemorySegment map(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            files.add(file);
            return mapped;
        }
    }

    private void readModel(ProtobufReader model) throws IOException {
        boolean graph = false;
        while (model.next()) {
            if (model.number() == MODEL_METADATA) {
                Map.Entry<String, String> entry = entry(model.message());
                metadata.put(entry.getKey(), entry.getValue());
            } else if (model.number() == MODEL_GRAPH) {
                if (graph) {
                    throw malformed("has two graphs");
                }
                graph = true;
                readGraph(model.message());
            }
        }
        if (!graph) {
            throw malformed("has no graph");
        }
    }

    private void readGraph(ProtobufReader graph) throws IOException {
        while (graph.next()) {
            if (graph.number() == GRAPH_INITIALIZER) {
                Initializer initializer = Initializer.read(path, graph.message());
                if (initializer.format().isPresent() && tensors.put(initializer.name(), tensor(initializer)) != null) {
                    throw malformed("has two initializers called '" + initializer.name() + "'");
                }
            }
        }
    }

    /** A StringStringEntryProto. */
    static Map.Entry<String, String> entry(ProtobufReader message) {
        String key = "";
        String value = "";
        while (message.next()) {
            switch (message.number()) {
                case ENTRY_KEY -> key = message.text(MAXIMUM_TEXT);
                case ENTRY_VALUE -> value = message.text(MAXIMUM_TEXT);
                default -> {
                    // Nothing else is wanted.
                }
            }
        }
        return Map.entry(key, value);
    }

    private Tensor tensor(Initializer initializer) throws IOException {
        MemorySegment bytes = initializer.external().isEmpty() ? initializer.bytes() : external(initializer);
        long expected = initializer.byteSize(path);
        if (bytes.byteSize() != expected) {
            throw malformed("initializer '%s' has %,d bytes, its shape needs %,d"
                    .formatted(initializer.name(), bytes.byteSize(), expected));
        }
        return new Tensor(initializer.name(), initializer.format().orElseThrow(), initializer.shape(), bytes);
    }

    private MemorySegment external(Initializer initializer) throws IOException {
        Map<String, String> place = initializer.external();
        String location = place.getOrDefault("location", "");
        // A data file stands beside its model; a name with a path in it would read somebody else's file.
        if (location.isEmpty()
                || location.contains("/")
                || location.contains("\\")
                || location.contains("\0")
                || location.equals(".")
                || location.equals("..")) {
            throw new MalformedModelException(
                    path,
                    "initializer '%s' lies outside its folder: '%s'".formatted(initializer.name(), location),
                    "do not trust this file");
        }
        MemorySegment data = dataFiles.get(location);
        if (data == null) {
            Path file = path.toAbsolutePath().resolveSibling(location);
            if (!Files.isRegularFile(file)) {
                throw new MalformedModelException(
                        path, "needs the data file '" + location + "' beside it", "fetch that file too");
            }
            data = map(file);
            dataFiles.put(location, data);
        }
        long offset = number(initializer, "offset", 0);
        long length = number(initializer, "length", data.byteSize() - offset);
        if (offset > data.byteSize() || length < 0 || length > data.byteSize() - offset) {
            throw malformed("initializer '%s' takes %,d bytes from %,d of '%s', which has %,d"
                    .formatted(initializer.name(), length, offset, location, data.byteSize()));
        }
        return data.asSlice(offset, length);
    }

    private long number(Initializer initializer, String key, long otherwise) {
        String text = initializer.external().get(key);
        if (text == null) {
            return otherwise;
        }
        try {
            long number = Long.parseLong(text);
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw malformed("initializer '%s' has the %s '%s'".formatted(initializer.name(), key, text));
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "the download is probably incomplete; fetch it again");
    }

    Path path() {
        return path;
    }

    /** Memory that lives as long as the file is open. */
    Arena arena() {
        return arena;
    }

    Map<String, String> metadata() {
        return metadata;
    }

    /** By name; those of types that weights do not have are left out. */
    Map<String, Tensor> tensors() {
        return tensors;
    }

    /** The model and its data files. */
    List<Path> files() {
        return files;
    }

    @Override
    public void close() {
        arena.close();
    }
}
