package dev.demitasse.model.pytorch;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.pytorch.PickleValue.Dictionary;
import dev.demitasse.model.pytorch.PickleValue.Global;
import dev.demitasse.model.pytorch.PickleValue.Items;
import dev.demitasse.model.pytorch.PickleValue.Mark;
import dev.demitasse.model.pytorch.PickleValue.Nothing;
import dev.demitasse.model.pytorch.PickleValue.Number;
import dev.demitasse.model.pytorch.PickleValue.Storage;
import dev.demitasse.model.pytorch.PickleValue.Text;
import dev.demitasse.model.pytorch.PickleValue.View;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the pickle of a state dict: the opcodes of protocol 2 that torch.save emits (CPython, Lib/pickletools.py), and of
 * functions only those of {@link Global}, whose meaning is built in. Nothing of the file is ever run.
 */
final class TensorPickle {
    private static final String CONVERT =
            "do not trust it, or convert it where you do: load it in Python and save it with safetensors.torch.save_file";
    /** Some 40 make a tensor. */
    private static final int MAXIMUM_OPCODES = 1 << 21;

    private static final int MAXIMUM_RANK = 8;

    private final Path path;
    private final PickleInput input;
    private final List<PickleValue> stack = new ArrayList<>();
    private final Map<Integer, PickleValue> memo = new HashMap<>();

    private TensorPickle(Path path, byte[] pickle) {
        this.path = path;
        this.input = new PickleInput(path, ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN));
    }

    /**
     * The tensors of a state dict by name.
     *
     * @throws MalformedModelException if it is something else, or asks for anything that is not allowed
     */
    static Map<String, View> read(Path path, byte[] pickle) {
        PickleValue root;
        try {
            root = new TensorPickle(path, pickle).run();
        } catch (BufferUnderflowException e) {
            throw new MalformedModelException(
                    path, "its pickle ends in the middle", "the download is probably incomplete; fetch it again", e);
        }
        if (!(root instanceof Dictionary dictionary)) {
            throw new MalformedModelException(path, "holds no dict of tensors", CONVERT);
        }
        Map<String, View> views = new java.util.LinkedHashMap<>();
        dictionary.values.forEach((name, value) -> {
            if (!(value instanceof View view) || name.isEmpty()) {
                throw new MalformedModelException(path, "its '" + name + "' is no tensor", CONVERT);
            }
            views.put(name, view);
        });
        return views;
    }

    private PickleValue run() {
        for (int count = 0; count < MAXIMUM_OPCODES; count++) {
            int opcode = input.uint8();
            if (opcode == '.') {
                PickleValue root = pop();
                return root;
            }
            if (!value(opcode) && !container(opcode)) {
                throw new MalformedModelException(
                        path,
                        "its pickle has the opcode 0x%02x ('%c'), which tensors do not need"
                                .formatted(opcode, opcode > ' ' && opcode < 127 ? opcode : '?'),
                        CONVERT);
            }
        }
        throw malformed("has over %,d opcodes".formatted(MAXIMUM_OPCODES));
    }

    /** Opcodes that push a value, or remember or recall one; false if it is none of them. */
    private boolean value(int opcode) {
        switch (opcode) {
            case 0x80 -> { // PROTO
                int protocol = input.uint8();
                if (protocol != 2) {
                    throw malformed("is of protocol %d, expected 2".formatted(protocol));
                }
            }
            case 'N', 'G' -> { // NONE, BINFLOAT
                input.skip(opcode == 'G' ? 8 : 0);
                push(new Nothing());
            }
            case 0x88, 0x89 -> push(new Number(opcode == 0x88 ? 1 : 0)); // NEWTRUE, NEWFALSE
            case 'K' -> push(new Number(input.uint8())); // BININT1
            case 'M' -> push(new Number(input.uint16())); // BININT2
            case 'J' -> push(new Number(input.int32())); // BININT
            case 0x8a -> push(new Number(input.long1())); // LONG1
            case 'X' -> push(new Text(input.text())); // BINUNICODE
            case 'c' -> push(global(input.line() + " " + input.line())); // GLOBAL
            case 'Q' -> push(storage(pop())); // BINPERSID
            case 'q' -> memo.put(input.uint8(), peek()); // BINPUT
            case 'r' -> memo.put(input.int32(), peek()); // LONG_BINPUT
            case 'h' -> push(recall(input.uint8())); // BINGET
            case 'j' -> push(recall(input.int32())); // LONG_BINGET
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Opcodes that make or fill containers, or call a function; false if it is none of them. */
    private boolean container(int opcode) {
        switch (opcode) {
            case '(' -> push(new Mark());
            case '}' -> push(new Dictionary()); // EMPTY_DICT
            case ']', ')' -> push(new Items()); // EMPTY_LIST, EMPTY_TUPLE
            case 't' -> pushItems(popToMark()); // TUPLE
            case 0x85, 0x86, 0x87 -> pushItems(pop(opcode - 0x84)); // TUPLE1, 2, 3
            case 'a' -> append(pop(1)); // APPEND
            case 'e' -> append(popToMark()); // APPENDS
            case 's' -> set(pop(2)); // SETITEM
            case 'u' -> set(popToMark()); // SETITEMS
            case 'R' -> { // REDUCE
                PickleValue arguments = pop();
                push(call(pop(), arguments));
            }
            case 'b' -> { // BUILD: a state dict's _metadata, which tells versions of modules
                pop();
                if (!(peek() instanceof Dictionary)) {
                    throw malformed("sets attributes of something that is no dict");
                }
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private void push(PickleValue value) {
        stack.add(value);
    }

    private PickleValue pop() {
        PickleValue top = peek();
        stack.removeLast();
        return top;
    }

    private PickleValue peek() {
        if (stack.isEmpty() || stack.getLast() instanceof Mark) {
            throw malformed("takes a value where there is none");
        }
        return stack.getLast();
    }

    private List<PickleValue> pop(int count) {
        List<PickleValue> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.addFirst(pop());
        }
        return values;
    }

    private List<PickleValue> popToMark() {
        int mark = stack.size() - 1;
        while (mark >= 0 && !(stack.get(mark) instanceof Mark)) {
            mark--;
        }
        if (mark < 0) {
            throw malformed("closes what it did not open");
        }
        List<PickleValue> tail = stack.subList(mark, stack.size());
        List<PickleValue> values = new ArrayList<>(tail.subList(1, tail.size()));
        tail.clear();
        return values;
    }

    private PickleValue recall(int slot) {
        PickleValue value = memo.get(slot);
        if (value == null) {
            throw malformed("recalls what it did not remember");
        }
        return value;
    }

    private void pushItems(List<PickleValue> values) {
        Items items = new Items();
        items.values.addAll(values);
        push(items);
    }

    private void append(List<PickleValue> values) {
        if (!(peek() instanceof Items items)) {
            throw malformed("appends to something that is no list");
        }
        items.values.addAll(values);
    }

    private void set(List<PickleValue> pairs) {
        if (!(peek() instanceof Dictionary dictionary) || pairs.size() % 2 != 0) {
            throw malformed("sets items of something that is no dict");
        }
        for (int i = 0; i < pairs.size(); i += 2) {
            if (!(pairs.get(i) instanceof Text key)) {
                throw malformed("has a dict whose keys are no texts");
            }
            if (dictionary.values.put(key.value(), pairs.get(i + 1)) != null) {
                throw malformed("has '" + key.value() + "' twice");
            }
        }
    }

    private Global global(String name) {
        return Global.of(name)
                .orElseThrow(() -> new MalformedModelException(
                        path, "its pickle asks for '" + name + "', which tensors do not need", CONVERT));
    }

    private PickleValue call(PickleValue function, PickleValue arguments) {
        List<PickleValue> given = arguments instanceof Items items ? items.values : List.of();
        return switch (function) {
            case Global.ORDERED_DICT -> {
                if (!given.isEmpty()) {
                    throw malformed("makes an OrderedDict of something");
                }
                yield new Dictionary();
            }
            case Global.REBUILD_TENSOR -> view(given);
            case Global.REBUILD_PARAMETER -> {
                if (given.isEmpty() || !(given.getFirst() instanceof View view)) {
                    throw malformed("makes a parameter of something that is no tensor");
                }
                yield view;
            }
            default -> throw malformed("calls something that is no function of tensors");
        };
    }

    /** {@code ('storage', type, key, device, elements)}. */
    private Storage storage(PickleValue id) {
        if (id instanceof Items items
                && items.values.size() == 5
                && items.values.get(0) instanceof Text kind
                && kind.value().equals("storage")
                && items.values.get(1) instanceof Global type
                && type.format().isPresent()
                && items.values.get(2) instanceof Text key
                && items.values.get(4) instanceof Number elements
                && elements.value() >= 0) {
            ScalarFormat format = type.format().get();
            return new Storage(format, key.value(), elements.value());
        }
        throw malformed("refers to something that is no storage");
    }

    /** {@code _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)}. */
    private View view(List<PickleValue> arguments) {
        if (arguments.size() >= 4
                && arguments.get(0) instanceof Storage storage
                && arguments.get(1) instanceof Number offset
                && arguments.get(2) instanceof Items shape
                && arguments.get(3) instanceof Items strides
                && shape.values.size() == strides.values.size()
                && shape.values.size() <= MAXIMUM_RANK) {
            return new View(storage, offset.value(), numbers(shape), numbers(strides));
        }
        throw malformed("makes a tensor of something that is none");
    }

    private List<Long> numbers(Items items) {
        List<Long> numbers = new ArrayList<>();
        for (PickleValue value : items.values) {
            if (!(value instanceof Number number)) {
                throw malformed("has a shape that is not of numbers");
            }
            numbers.add(number.value());
        }
        return numbers;
    }

    private MalformedModelException malformed(String problem) {
        return input.malformed(problem);
    }
}
