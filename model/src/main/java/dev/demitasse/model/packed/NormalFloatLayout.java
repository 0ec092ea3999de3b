package dev.demitasse.model.packed;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.NF4;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * What bitsandbytes saves of a Linear4bit (bitsandbytes/functional.py, {@code QuantState.as_dict(packed=True)} and {@code
 * from_dict}): {@code weight [out · in / 2, 1]}, two codes a byte, the first in its high half; {@code weight.absmax}, a scale
 * for each block of them in the order of rows; {@code weight.quant_map [16]}, what codes stand for; and JSON, saved as bytes.
 * Nested scales are bytes: {@code absmax = nested_quant_map[byte] · nested_absmax + nested_offset}.
 *
 * <p>Written without nesting, a float32 for each scale: what {@link NF4} has instead is the block's 8 bits times the row's.
 */
public record NormalFloatLayout() implements PackedLayout {
    private static final int BLOCK = new NF4().blockSize();
    private static final String CODES = "weight";
    private static final String SCALES = "weight.absmax";
    private static final String TABLE = "weight.quant_map";
    private static final String STATE = "weight.quant_state.bitsandbytes__nf4";

    @Override
    public String mark() {
        return SCALES;
    }

    private static byte[] state(int rows, int columns) {
        return "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"float16\", \"shape\": [%d, %d]}"
                .formatted(BLOCK, rows, columns)
                .getBytes(StandardCharsets.UTF_8);
    }

    /** What a weight {@code [rows, columns]} of whole blocks takes. */
    public Map<String, Part> parts(int rows, int columns) {
        long elements = (long) rows * columns;
        Map<String, Part> parts = new LinkedHashMap<>();
        parts.put(CODES, new Part(ScalarFormat.U8, elements / 2, 1));
        parts.put(SCALES, new Part(ScalarFormat.F32, elements / BLOCK));
        parts.put(TABLE, new Part(ScalarFormat.F32, NF4.LEVELS.count()));
        parts.put(STATE, new Part(ScalarFormat.U8, state(rows, columns).length));
        return parts;
    }

    /**
     * The same tensors, filled.
     *
     * @param weight of {@link NF4}
     * @param rowScales of its rows
     */
    public Map<String, Tensor> pack(Tensor weight, float[] rowScales) {
        NF4 format = new NF4();
        Map<String, Tensor> tensors = PackedLayout.allocate(parts(weight.rows(), weight.columns()));
        int blocks = Math.toIntExact(weight.elements() / BLOCK);
        int perRow = weight.columns() / BLOCK;
        float[] scales = new float[blocks];
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        for (int block = 0; block < blocks; block++) {
            long at = (long) block * format.bytesPerBlock();
            format.unpack(weight.data(), at, numbers);
            scales[block] = numbers.scale * rowScales[block / perRow];
            // A block is its scale's byte and then the codes, packed as bitsandbytes does.
            MemorySegment codes = part(tensors, CODES).data();
            MemorySegment.copy(weight.data(), at + 1, codes, block * (BLOCK / 2L), BLOCK / 2);
        }
        ScalarFormat.F32.encode(scales, 0, blocks, part(tensors, SCALES).data(), 0);
        float[] table = new float[NF4.LEVELS.count()];
        for (int code = 0; code < table.length; code++) {
            table[code] = NF4.LEVELS.of(code);
        }
        ScalarFormat.F32.encode(table, 0, table.length, part(tensors, TABLE).data(), 0);
        part(tensors, STATE).data().copyFrom(MemorySegment.ofArray(state(weight.rows(), weight.columns())));
        return tensors;
    }

    private static Tensor part(Map<String, Tensor> tensors, String name) {
        return Optional.ofNullable(tensors.get(name)).orElseThrow();
    }

    /** Its scales are any numbers: what bitsandbytes itself multiplies, float16. */
    @Override
    public TensorFormat format(String module, Function<String, Optional<Tensor>> file, int rows, int columns) {
        return ScalarFormat.F16;
    }

    @Override
    public Tensor read(String module, Function<String, Optional<Tensor>> file, int rows, int columns) {
        ModuleParts parts = new ModuleParts(module, file);
        String kind = parts.find(STATE).isPresent() ? STATE : STATE.replace("nf4", "fp4");
        JsonNode state = JsonFile.parse(
                module, bytes(parts.vector(kind, ScalarFormat.U8)), "quantization state", Duplicates.LAST_COUNTS);
        long elements = (long) rows * columns;
        int block = size(parts, kind, state, "blocksize");
        MemorySegment codes = parts.vector(CODES, ScalarFormat.U8).data();
        float[] table = parts.vector(TABLE, ScalarFormat.F32).toFloats();
        float[] scales = scales(parts, kind, state);
        boolean whole = codes.byteSize() == Math.ceilDiv(elements, 2L)
                && table.length == 16
                && scales.length == Math.ceilDiv(elements, (long) block);
        if (!whole) {
            throw parts.malformed(CODES, "and its scales do not make up %,d × %,d".formatted(rows, columns));
        }
        Tensor weight = Tensor.allocate(module + ".weight", ScalarFormat.F16, rows, columns);
        IntStream.range(0, rows).parallel().forEach(row -> {
            float[] values = new float[columns];
            for (int column = 0; column < columns; column++) {
                long element = (long) row * columns + column;
                int pair = codes.get(ValueLayout.JAVA_BYTE, element / 2);
                int code = element % 2 == 0 ? pair >> 4 & 15 : pair & 15;
                values[column] = table[code] * scales[(int) (element / block)];
            }
            weight.writeRow(row, values, 0);
        });
        return weight;
    }

    private static float[] scales(ModuleParts parts, String kind, JsonNode state) {
        Tensor stored = parts.vector(SCALES, ScalarFormat.F32, ScalarFormat.U8);
        float[] scales = stored.toFloats();
        if (stored.format() == ScalarFormat.F32) {
            return scales;
        }
        float[] table =
                parts.vector("weight.nested_quant_map", ScalarFormat.F32).toFloats();
        float[] outer = parts.vector("weight.nested_absmax", ScalarFormat.F32).toFloats();
        int block = size(parts, kind, state, "nested_blocksize");
        float offset = (float) state.path("nested_offset").asDouble(0);
        if (table.length != 256 || outer.length != Math.ceilDiv(scales.length, block)) {
            throw parts.malformed(SCALES, "and what it is nested in do not fit each other");
        }
        for (int i = 0; i < scales.length; i++) {
            scales[i] = table[(int) scales[i]] * outer[i / block] + offset;
        }
        return scales;
    }

    private static int size(ModuleParts parts, String kind, JsonNode state, String key) {
        int size = state.path(key).asInt(0);
        if (size < 1) {
            throw parts.malformed(kind, "must have %s above 0, has %s".formatted(key, state.path(key)));
        }
        return size;
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().toArray(ValueLayout.JAVA_BYTE);
    }
}
