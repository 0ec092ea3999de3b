package dev.demitasse.model.pytorch;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** A file as torch.save writes it, in the making, for tests: opcodes one by one, and a zip file of its own. */
final class TorchBytes {
    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();

    /** The entries beside the pickle. */
    final Map<String, byte[]> entries = new LinkedHashMap<>();

    boolean zip64;
    int method;
    int flags;
    int extraEntries;

    TorchBytes() {
        raw(0x80, 2);
    }

    TorchBytes raw(int... bytes) {
        for (int value : bytes) {
            pickle.write(value);
        }
        return this;
    }

    TorchBytes text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return raw('X').int32(bytes.length).bytes(bytes);
    }

    TorchBytes bytes(byte[] bytes) {
        pickle.writeBytes(bytes);
        return this;
    }

    TorchBytes int32(int value) {
        return bytes(little(4).putInt(value).array());
    }

    TorchBytes global(String module, String name) {
        return raw('c').bytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
    }

    TorchBytes number(long value) {
        if (value >= 0 && value < 256) {
            return raw('K', (int) value);
        }
        return value == (int) value
                ? raw('J').int32((int) value)
                : raw(0x8a, 8).bytes(little(8).putLong(value).array());
    }

    TorchBytes tuple(long... values) {
        raw('(');
        for (long value : values) {
            number(value);
        }
        return raw('t');
    }

    private TorchBytes emptyDict() {
        return global("collections", "OrderedDict").raw(')', 'R');
    }

    /** A call of _rebuild_tensor_v2. */
    TorchBytes tensor(String type, String key, long elements, long offset, long[] shape, long[] strides) {
        return global("torch._utils", "_rebuild_tensor_v2")
                .raw('(')
                .storage(type, key, elements)
                .number(offset)
                .tuple(shape)
                .tuple(strides)
                .raw(0x89)
                .emptyDict()
                .raw('t', 'R');
    }

    TorchBytes storage(String type, String key, long elements) {
        return raw('(').text("storage")
                .global("torch", type)
                .text(key)
                .text("cpu")
                .number(elements)
                .raw('t', 'Q');
    }

    /** The start of a state dict whose items follow. */
    TorchBytes open() {
        return emptyDict().raw('q', 0, '(');
    }

    /** The end of a state dict with _metadata, as a module's has. */
    TorchBytes close() {
        return raw('u', '}').text("_metadata").emptyDict().raw('s', 'b', '.');
    }

    static String type(ScalarFormat format) {
        return switch (format) {
            case F32 -> "FloatStorage";
            case F16 -> "HalfStorage";
            case BF16 -> "BFloat16Storage";
            case F64 -> "DoubleStorage";
            case I64 -> "LongStorage";
            case I32 -> "IntStorage";
            case I16 -> "ShortStorage";
            case I8 -> "CharStorage";
            case F8_E4M3 -> "Float8_e4m3fnStorage";
            case U8 -> "ByteStorage";
            case BOOL -> "BoolStorage";
        };
    }

    static long[] strides(long[] shape) {
        long[] strides = new long[shape.length];
        long next = 1;
        for (int d = shape.length - 1; d >= 0; d--) {
            strides[d] = next;
            next *= shape[d];
        }
        return strides;
    }

    static TorchBytes stateDict(Map<String, Tensor> tensors) {
        TorchBytes file = new TorchBytes();
        file.open();
        tensors.forEach((name, tensor) -> {
            String key = Integer.toString(file.entries.size());
            file.text(name)
                    .tensor(
                            type((ScalarFormat) tensor.format()),
                            key,
                            tensor.elements(),
                            0,
                            tensor.shape(),
                            strides(tensor.shape()));
            file.entries.put("data/" + key, tensor.data().toArray(ValueLayout.JAVA_BYTE));
        });
        return file.close();
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The pickle alone. */
    byte[] pickle() {
        return pickle.toByteArray();
    }

    byte[] toBytes() {
        Map<String, byte[]> all = new LinkedHashMap<>();
        all.put("archive/data.pkl", pickle());
        entries.forEach((name, bytes) -> all.put("archive/" + name, bytes));
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        all.forEach((entry, content) -> {
            byte[] name = entry.getBytes(StandardCharsets.UTF_8);
            int start = file.size();
            // Bytes begin at multiples of 64, by an extra field of zeros.
            int padding = Math.floorMod(-(start + 30 + name.length + 4), 64);
            ByteBuffer local = little(30 + name.length + 4 + padding);
            local.putInt(0x04034b50).putShort((short) 0).putShort((short) flags).putShort((short) method);
            local.putInt(0).putInt(0).putInt(content.length).putInt(content.length);
            local.putShort((short) name.length).putShort((short) (4 + padding));
            local.put(name).putShort((short) 0x4246).putShort((short) padding);
            file.writeBytes(local.array());
            file.writeBytes(content);
            ByteBuffer central = little(46 + name.length + (zip64 ? 28 : 0));
            central.putInt(0x02014b50).putShort((short) 0).putShort((short) 0).putShort((short) flags);
            central.putShort((short) method).putInt(0).putInt(0);
            central.putInt(zip64 ? -1 : content.length).putInt(zip64 ? -1 : content.length);
            central.putShort((short) name.length)
                    .putShort((short) (zip64 ? 28 : 0))
                    .putShort((short) 0);
            central.putShort((short) 0)
                    .putShort((short) 0)
                    .putInt(0)
                    .putInt(zip64 ? -1 : start)
                    .put(name);
            if (zip64) {
                central.putShort((short) 1).putShort((short) 24);
                central.putLong(content.length).putLong(content.length).putLong(start);
            }
            directory.writeBytes(central.array());
        });
        int start = file.size();
        int count = all.size() + extraEntries;
        file.writeBytes(directory.toByteArray());
        if (zip64) {
            int end = file.size();
            file.writeBytes(little(56)
                    .putInt(0x06064b50)
                    .putLong(44)
                    .putInt(0)
                    .putInt(0)
                    .putInt(0)
                    .putLong(count)
                    .putLong(count)
                    .putLong(directory.size())
                    .putLong(start)
                    .array());
            file.writeBytes(little(20)
                    .putInt(0x07064b50)
                    .putInt(0)
                    .putLong(end)
                    .putInt(1)
                    .array());
        }
        file.writeBytes(little(22)
                .putInt(0x06054b50)
                .putInt(0)
                .putShort((short) (zip64 ? -1 : count))
                .putShort((short) (zip64 ? -1 : count))
                .putInt(zip64 ? -1 : directory.size())
                .putInt(zip64 ? -1 : start)
                .putShort((short) 0)
                .array());
        return file.toByteArray();
    }
}
