package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.progress.Progress;
import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a ModelProto whose constants stream through: lengths are known before bytes are, so that a message is written
 * front to back without ever being whole in memory. Constants past the limit go to {@code NAME.onnx.data}, each at an
 * offset that can be mapped.
 */
final class ModelFile {
    /** Offsets of external data are multiples of this, the page size of most machines. */
    static final int ALIGNMENT = 4096;

    /** Smaller constants always stand in the model: shapes must, for runtimes to fold them. */
    private static final long SMALL = 1024;

    private static final int BUFFER = 1 << 20;

    private final Path file;
    private final ModelProto model;
    private final GraphProto graph;
    private final List<Initializer> inline = new ArrayList<>();
    private final List<Initializer> external = new ArrayList<>();
    private final Map<Initializer, TensorProto> headers = new HashMap<>();

    /**
     * @param model without its graph
     * @param graph without its constants
     */
    ModelFile(Path file, ModelProto model, GraphProto graph, Collection<Initializer> constants, long inlineLimit) {
        this.file = file;
        this.model = model;
        this.graph = graph;
        long total = constants.stream().mapToLong(Initializer::bytes).reduce(0, Math::addExact);
        for (Initializer constant : constants) {
            boolean stays = total <= inlineLimit || constant.bytes() < SMALL;
            (stays ? inline : external).add(constant);
        }
    }

    /** Writes the model, and its data file where there is one; gives both. */
    List<Path> write(Progress progress) throws IOException {
        Path data = file.resolveSibling(file.getFileName() + ".data");
        progress.begin("writing ONNX", inline.size() + external.size(), "tensors");
        if (!external.isEmpty()) {
            writeData(data, progress);
        }
        writeModel(progress);
        progress.end();
        if (external.isEmpty()) {
            Files.deleteIfExists(data);
            return List.of(file);
        }
        return List.of(file, data);
    }

    private void writeData(Path data, Progress progress) throws IOException {
        try (AtomicFile target = AtomicFile.create(data);
                Counter out = new Counter(buffered(target))) {
            for (Initializer constant : external) {
                out.write(new byte[(int) (Math.ceilDiv(out.count, ALIGNMENT) * ALIGNMENT - out.count)]);
                headers.put(
                        constant, externalHeader(constant, data.getFileName().toString(), out.count));
                writeBytes(constant, out);
                progress.advance(1);
            }
            out.flush();
            target.commit();
        }
    }

    private static TensorProto externalHeader(Initializer constant, String location, long offset) {
        return constant.header().toBuilder()
                .setDataLocation(TensorProto.DataLocation.EXTERNAL)
                .addExternalData(entry("location", location))
                .addExternalData(entry("offset", Long.toString(offset)))
                .addExternalData(entry("length", Long.toString(constant.bytes())))
                .build();
    }

    static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }

    private void writeModel(Progress progress) throws IOException {
        long graphBytes = graph.getSerializedSize();
        for (Initializer constant : inline) {
            graphBytes += field(GraphProto.INITIALIZER_FIELD_NUMBER, inlineBytes(constant));
        }
        for (Initializer constant : external) {
            graphBytes +=
                    field(GraphProto.INITIALIZER_FIELD_NUMBER, header(constant).getSerializedSize());
        }
        try (AtomicFile target = AtomicFile.create(file);
                Counter out = new Counter(buffered(target))) {
            CodedOutputStream coded = CodedOutputStream.newInstance(out);
            model.writeTo(coded);
            begin(coded, ModelProto.GRAPH_FIELD_NUMBER, graphBytes);
            graph.writeTo(coded);
            for (Initializer constant : external) {
                coded.writeMessage(GraphProto.INITIALIZER_FIELD_NUMBER, header(constant));
            }
            for (Initializer constant : inline) {
                begin(coded, GraphProto.INITIALIZER_FIELD_NUMBER, inlineBytes(constant));
                constant.header().writeTo(coded);
                begin(coded, TensorProto.RAW_DATA_FIELD_NUMBER, constant.bytes());
                coded.flush();
                writeBytes(constant, out);
                progress.advance(1);
            }
            coded.flush();
            out.flush();
            target.commit();
        }
    }

    private TensorProto header(Initializer constant) {
        TensorProto header = headers.get(constant);
        if (header == null) {
            throw new IllegalStateException("not placed yet: " + constant.name());
        }
        return header;
    }

    private static long inlineBytes(Initializer constant) {
        return constant.header().getSerializedSize() + field(TensorProto.RAW_DATA_FIELD_NUMBER, constant.bytes());
    }

    /** Bytes of a length-delimited field. */
    private static long field(int number, long content) {
        return CodedOutputStream.computeTagSize(number) + CodedOutputStream.computeUInt64SizeNoTag(content) + content;
    }

    private static void begin(CodedOutputStream out, int number, long content) throws IOException {
        out.writeTag(number, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        out.writeUInt64NoTag(content);
    }

    private static void writeBytes(Initializer constant, Counter out) throws IOException {
        long before = out.count;
        constant.source().writeTo(out);
        if (out.count - before != constant.bytes()) {
            throw new IllegalStateException(
                    "%s wrote %,d bytes, not %,d".formatted(constant.name(), out.count - before, constant.bytes()));
        }
    }

    private static OutputStream buffered(AtomicFile target) {
        return new BufferedOutputStream(Channels.newOutputStream(target.channel()), BUFFER);
    }

    /** Knows how many bytes went through. Closing it leaves the file to its owner. */
    private static final class Counter extends FilterOutputStream {
        private long count;

        Counter(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int value) throws IOException {
            out.write(value);
            count++;
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            out.write(bytes, from, length);
            count += length;
        }

        @Override
        public void close() {}
    }
}
