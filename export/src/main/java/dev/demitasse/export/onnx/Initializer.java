package dev.demitasse.export.onnx;

import ai.onnx.proto.OnnxMl.TensorProto;
import java.io.IOException;
import java.io.OutputStream;

/**
 * A constant of the graph whose bytes are made only when the file is written.
 *
 * @param bytes how many {@code source} will write
 */
record Initializer(String name, TensorProto.DataType type, long[] dimensions, long bytes, Source source) {
    /** Writes a constant's elements, row-major and little-endian. */
    @FunctionalInterface
    interface Source {
        void writeTo(OutputStream target) throws IOException;
    }

    static Initializer ofBytes(String name, TensorProto.DataType type, byte[] content, long... dimensions) {
        return new Initializer(name, type, dimensions, content.length, target -> target.write(content));
    }

    /** Everything but the elements. */
    TensorProto header() {
        TensorProto.Builder header = TensorProto.newBuilder().setName(name).setDataType(type.getNumber());
        for (long dimension : dimensions) {
            header.addDims(dimension);
        }
        return header.build();
    }
}
