package dev.demitasse.model.onnx;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.ProtobufReader;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A TensorProto: a constant's name, type and shape, and its bytes or where they lie.
 *
 * @param format empty if weights have no such type
 * @param bytes {@code raw_data}
 * @param external {@code location}, {@code offset}, {@code length} where the bytes lie in another file, else empty
 */
record Initializer(
        String name, Optional<ScalarFormat> format, long[] shape, MemorySegment bytes, Map<String, String> external) {
    private static final int DIMENSIONS = 1;
    private static final int DATA_TYPE = 2;
    private static final int NAME = 8;
    private static final int RAW_DATA = 9;
    private static final int EXTERNAL_DATA = 13;
    private static final int DATA_LOCATION = 14;
    private static final long EXTERNAL = 1;
    private static final int MAXIMUM_NAME = 4096;
    private static final int MAXIMUM_RANK = 8;

    static Initializer read(Path path, ProtobufReader tensor) {
        String name = "";
        long type = 0;
        boolean elsewhere = false;
        List<Long> shape = new ArrayList<>();
        MemorySegment bytes = MemorySegment.NULL;
        Map<String, String> external = new LinkedHashMap<>();
        while (tensor.next()) {
            switch (tensor.number()) {
                case DIMENSIONS -> readDimensions(path, tensor, shape);
                case DATA_TYPE -> type = tensor.varint();
                case NAME -> name = tensor.text(MAXIMUM_NAME);
                case RAW_DATA -> bytes = tensor.bytes();
                case EXTERNAL_DATA -> {
                    Map.Entry<String, String> entry = OnnxFile.entry(tensor.message());
                    external.put(entry.getKey(), entry.getValue());
                }
                case DATA_LOCATION -> elsewhere = tensor.varint() == EXTERNAL;
                default -> {
                    // Values in typed fields: files of ours have none, and their length is found wanting.
                }
            }
        }
        if (elsewhere == external.isEmpty()) {
            throw new MalformedModelException(
                    path, "initializer '" + name + "' does not say where its data is", "the file was written wrongly");
        }
        return new Initializer(
                name, format(type), shape.stream().mapToLong(Long::longValue).toArray(), bytes, external);
    }

    private static void readDimensions(Path path, ProtobufReader tensor, List<Long> shape) {
        if (tensor.delimited()) {
            ProtobufReader packed = tensor.message();
            while (!packed.atEnd() && shape.size() <= MAXIMUM_RANK) {
                shape.add(packed.readVarint());
            }
        } else {
            shape.add(tensor.varint());
        }
        if (shape.size() > MAXIMUM_RANK || shape.getLast() < 0) {
            throw new MalformedModelException(
                    path, "an initializer has the impossible shape " + shape, "the file was written wrongly");
        }
    }

    /** TensorProto.DataType. */
    private static Optional<ScalarFormat> format(long type) {
        return switch ((int) Math.clamp(type, 0, 100)) {
            case 1 -> Optional.of(ScalarFormat.F32);
            case 2 -> Optional.of(ScalarFormat.U8);
            case 3 -> Optional.of(ScalarFormat.I8);
            case 6 -> Optional.of(ScalarFormat.I32);
            case 7 -> Optional.of(ScalarFormat.I64);
            case 10 -> Optional.of(ScalarFormat.F16);
            case 16 -> Optional.of(ScalarFormat.BF16);
            default -> Optional.empty();
        };
    }

    /** Bytes that type and shape ask for. */
    long byteSize(Path path) {
        try {
            return format.orElseThrow().bytes(Tensor.elements(shape));
        } catch (ArithmeticException e) {
            throw new MalformedModelException(
                    path, "initializer '" + name + "' has a shape past 2^63 bytes", "the file was written wrongly", e);
        }
    }
}
