package dev.demitasse.model.pytorch;

import dev.demitasse.model.format.ScalarFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a pickle of tensors is made of. Containers compare by identity and are never walked deeper than one level: a
 * hostile one may hold itself.
 */
sealed interface PickleValue {
    /** Where a MARK opcode stands on the stack. */
    final class Mark implements PickleValue {}

    /** None, and whatever is of no interest. */
    final class Nothing implements PickleValue {}

    record Number(long value) implements PickleValue {}

    record Text(String value) implements PickleValue {}

    /** A tuple or a list. */
    final class Items implements PickleValue {
        final List<PickleValue> values = new ArrayList<>();
    }

    /** A dict or an OrderedDict. */
    final class Dictionary implements PickleValue {
        final Map<String, PickleValue> values = new LinkedHashMap<>();
    }

    /**
     * The bytes of one or more tensors.
     *
     * @param key the entry {@code data/KEY} of the zip file
     * @param elements how many it says it has
     */
    record Storage(ScalarFormat format, String key, long elements) implements PickleValue {}

    /** A view of a storage; all numbers are of elements. */
    record View(Storage storage, long offset, List<Long> shape, List<Long> strides) implements PickleValue {}

    /** The only names that a pickle may use: nothing else is ever looked up. */
    enum Global implements PickleValue {
        ORDERED_DICT("collections OrderedDict"),
        REBUILD_TENSOR("torch._utils _rebuild_tensor_v2"),
        REBUILD_PARAMETER("torch._utils _rebuild_parameter"),
        FLOAT("torch FloatStorage", ScalarFormat.F32),
        HALF("torch HalfStorage", ScalarFormat.F16),
        BFLOAT16("torch BFloat16Storage", ScalarFormat.BF16),
        DOUBLE("torch DoubleStorage", ScalarFormat.F64),
        LONG("torch LongStorage", ScalarFormat.I64),
        INT("torch IntStorage", ScalarFormat.I32),
        SHORT("torch ShortStorage", ScalarFormat.I16),
        CHAR("torch CharStorage", ScalarFormat.I8),
        BYTE("torch ByteStorage", ScalarFormat.U8),
        BOOL("torch BoolStorage", ScalarFormat.BOOL);

        private final String name;
        private final Optional<ScalarFormat> format;

        Global(String name) {
            this.name = name;
            this.format = Optional.empty();
        }

        Global(String name, ScalarFormat format) {
            this.name = name;
            this.format = Optional.of(format);
        }

        /** @param name module and name with a space between */
        static Optional<Global> of(String name) {
            for (Global global : values()) {
                if (global.name.equals(name)) {
                    return Optional.of(global);
                }
            }
            return Optional.empty();
        }

        /** The elements' format, of a storage. */
        Optional<ScalarFormat> format() {
            return format;
        }
    }
}
