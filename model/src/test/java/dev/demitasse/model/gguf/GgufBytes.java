package dev.demitasse.model.gguf;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.reference.TinyModel;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A GGUF file in the making, for tests: every field can be made wrong. */
final class GgufBytes {
    /** A tensor's description and bytes; {@code dimensions} as in the file, innermost first. */
    record Slot(String name, int rank, long[] dimensions, int type, long offset, byte[] data) {
        Slot withOffset(long other) {
            return new Slot(name, rank, dimensions, type, other, data);
        }

        Slot withType(int other) {
            return new Slot(name, rank, dimensions, other, offset, data);
        }

        Slot withName(String other) {
            return new Slot(other, rank, dimensions, type, offset, data);
        }

        Slot withDimensions(int otherRank, long... other) {
            return new Slot(name, otherRank, other, type, offset, data);
        }
    }

    String magic = "GGUF";
    int version = 3;
    long extraTensors;
    long extraPairs;
    int alignment = 32;
    /** Encoded values with their type number in front, by key. */
    final Map<String, byte[]> pairs = new LinkedHashMap<>();

    final List<byte[]> rawPairs = new ArrayList<>();
    final List<Slot> slots = new ArrayList<>();

    /** {@link TinyModel} as llama.cpp's converter would write it, with a small tokenizer. */
    static GgufBytes tinyLlama() {
        ModelConfig config = TinyModel.config();
        GgufBytes file = new GgufBytes();
        file.put("general.architecture", "llama");
        config.family().writeGguf(config).forEach(file::put);
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        List<Float> scores = new ArrayList<>(List.of(0f, 0f, 0f));
        List<Integer> types = new ArrayList<>(List.of(2, 3, 3));
        for (int id = 3; id < 40; id++) {
            tokens.add(
                    id < 29
                            ? Character.toString('a' + id - 3)
                            : id == 29 ? "▁" : id == 30 ? "▁a" : "▁a" + (char) ('b' + id - 31));
            scores.add((float) -id);
            types.add(1);
        }
        file.put("tokenizer.ggml.model", "llama");
        file.put("tokenizer.ggml.tokens", tokens);
        file.put("tokenizer.ggml.scores", scores);
        file.put("tokenizer.ggml.token_type", types);
        file.put("tokenizer.ggml.bos_token_id", 1);
        file.put("tokenizer.ggml.eos_token_id", 2);
        file.put("tokenizer.ggml.add_bos_token", true);
        for (TensorKey key : config.tensors()) {
            Tensor tensor = TensorForm.convert(TinyModel.tensor(config, key), key, config, config.ggufForm());
            file.add(config.names().gguf(key).getFirst().name(), tensor);
        }
        return file;
    }

    static ModelConfig tinyConfig() {
        return TinyModel.config().ggufForm();
    }

    void add(String name, Tensor tensor) {
        long[] shape = tensor.shape();
        long[] dimensions = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
            dimensions[i] = shape[shape.length - 1 - i];
        }
        int type = GgmlType.of(tensor.format()).orElseThrow().id();
        byte[] data = tensor.data().toArray(ValueLayout.JAVA_BYTE);
        slots.add(new Slot(name, shape.length, dimensions, type, end(), data));
    }

    private long end() {
        if (slots.isEmpty()) {
            return 0;
        }
        Slot last = slots.getLast();
        return Math.ceilDiv(last.offset + last.data.length, alignment) * (long) alignment;
    }

    GgufBytes put(String key, Object value) {
        pairs.put(key, encode(value));
        return this;
    }

    GgufBytes raw(String key, int type, byte[] value) {
        pairs.put(key, join(int32(type), value));
        return this;
    }

    static byte[] encode(Object value) {
        return switch (value) {
            case Integer whole -> join(int32(4), int32(whole));
            case Float floating -> join(int32(6), int32(Float.floatToRawIntBits(floating)));
            case Boolean flag -> join(int32(7), new byte[] {(byte) (flag ? 1 : 0)});
            case String text -> join(int32(8), text(text));
            case Long whole -> join(int32(10), int64(whole));
            case Double floating -> join(int32(12), int64(Double.doubleToRawLongBits(floating)));
            case List<?> list -> {
                ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                for (Object element : list) {
                    byte[] encoded = encode(element);
                    if (bytes.size() == 0) {
                        bytes.writeBytes(join(int32(9), Arrays.copyOf(encoded, 4), int64(list.size())));
                    }
                    bytes.write(encoded, 4, encoded.length - 4);
                }
                yield bytes.toByteArray();
            }
            default -> throw new IllegalArgumentException(value.toString());
        };
    }

    static byte[] int32(int value) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }

    static byte[] int64(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
    }

    static byte[] text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return join(int64(bytes.length), bytes);
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            bytes.writeBytes(part);
        }
        return bytes.toByteArray();
    }

    byte[] header() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(magic.getBytes(StandardCharsets.US_ASCII));
        bytes.writeBytes(int32(version));
        bytes.writeBytes(int64(slots.size() + extraTensors));
        bytes.writeBytes(int64(pairs.size() + rawPairs.size() + extraPairs));
        pairs.forEach((key, value) -> bytes.writeBytes(join(text(key), value)));
        rawPairs.forEach(bytes::writeBytes);
        for (Slot slot : slots) {
            bytes.writeBytes(join(text(slot.name), int32(slot.rank)));
            for (long dimension : slot.dimensions) {
                bytes.writeBytes(int64(dimension));
            }
            bytes.writeBytes(join(int32(slot.type), int64(slot.offset)));
        }
        return bytes.toByteArray();
    }

    byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(header());
        for (Slot slot : slots) {
            bytes.writeBytes(new byte[Math.floorMod(-bytes.size(), alignment)]);
            bytes.writeBytes(slot.data);
        }
        return bytes.toByteArray();
    }
}
