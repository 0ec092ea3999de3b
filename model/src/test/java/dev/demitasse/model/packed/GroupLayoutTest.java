package dev.demitasse.model.packed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.packed.GroupLayout.Sizes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Against {@link PlainDecoders}, which follow the other tools' own unpacking, and a few integers that are known. */
class GroupLayoutTest {
    private static Stream<Arguments> layouts() {
        List<IntegerGroup> four = List.of(
                new IntegerGroup(4, 32, true),
                new IntegerGroup(4, 64, false),
                new IntegerGroup(4, 128, true),
                new IntegerGroup(4, 128, false));
        Stream<Arguments> both = four.stream()
                .flatMap(format -> Stream.of(
                        Arguments.of(new GptqLayout(true), format),
                        Arguments.of(new GptqLayout(false), format),
                        Arguments.of(new AwqLayout(), format),
                        Arguments.of(new PackQuantizedLayout(), format)));
        Stream<Arguments> three = Stream.of(
                Arguments.of(new GptqLayout(false), new IntegerGroup(3, 32, false)),
                Arguments.of(new GptqLayout(true), new IntegerGroup(3, 128, true)));
        return Stream.concat(both, three);
    }

    /** A weight [32, 256] whose zeros are never code 0, which the older GPTQ layout cannot say. */
    private static Tensor weight(IntegerGroup format) {
        Random random = new Random(3);
        Tensor floats = Tensor.allocate("w", ScalarFormat.F32, 32, 256);
        float[] row = new float[256];
        for (int i = 0; i < 32; i++) {
            for (int j = 0; j < row.length; j++) {
                row[j] = (float) (random.nextGaussian() - 0.3);
            }
            floats.writeRow(i, row, 0);
        }
        return floats.to(format);
    }

    private static Function<String, Optional<Tensor>> file(Map<String, Tensor> parts) {
        return name -> Optional.ofNullable(parts.get(name.replaceFirst("^m\\.", "")));
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void whatIsPackedIsWhatOthersUnpack(GroupLayout layout, IntegerGroup format) {
        Tensor weight = weight(format);
        GroupedCodes codes = GroupedCodes.of(weight);
        Map<String, Tensor> parts = layout.pack(codes);
        layout.parts(codes.sizes(), codes.symmetric()).forEach((name, part) -> {
            assertThat(parts.get(name).shape()).isEqualTo(part.shape());
            assertThat(parts.get(name).format()).isEqualTo(part.format());
        });
        float[] expected = weight.toFloats();
        assertThat(PlainDecoders.decode(layout, parts, 32, 256, format.bits())).isEqualTo(expected);
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void comesBackBitForBit(GroupLayout layout, IntegerGroup format) {
        Tensor weight = weight(format);
        Map<String, Tensor> parts = layout.pack(GroupedCodes.of(weight));
        assertThat(layout.format("m", file(parts), 32, 256)).isEqualTo(format);
        Tensor read = layout.read("m", file(parts), 32, 256);
        assertThat(read.format()).isEqualTo(format);
        assertThat(read.data().mismatch(weight.data())).isEqualTo(-1);
    }

    /** A zero in the middle, 8, is stored as 7 eight times by the older GPTQ; AWQ's order of outputs is 0 2 4 6 1 3 5 7. */
    @Test
    void knownIntegers() {
        Sizes sizes = new Sizes(8, 32, 4, 1);
        byte[] zeros = {8, 8, 8, 8, 8, 8, 8, 8};
        GroupedCodes codes = new GroupedCodes(sizes, zeros, new int[32]);
        for (int row = 0; row < 8; row++) {
            codes.setCode(row, 0, row);
            codes.setCode(row, 1, 15);
            codes.setScale(row, 0, 0.5f);
        }
        Map<String, Tensor> gptq = new GptqLayout(true).pack(codes);
        assertThat(gptq.get("qzeros").toInts()).containsExactly(0x77777777);
        assertThat(gptq.get("qweight").toInts()[3]).isEqualTo(0xf3);
        assertThat(new GptqLayout(false).pack(codes).get("qzeros").toInts()).containsExactly(0x88888888);
        Map<String, Tensor> awq = new AwqLayout().pack(codes);
        assertThat(awq.get("qweight").toInts()[0]).isEqualTo(0x75316420);
        assertThat(awq.get("qzeros").toInts()).containsExactly(0x88888888);
        Map<String, Tensor> packed = new PackQuantizedLayout().pack(codes);
        assertThat(packed.get("weight_packed").toInts()[4 * 5]).isEqualTo(0xf5);
        assertThat(packed.get("weight_shape").toLongs()).containsExactly(8, 32);
        assertThat(packed).doesNotContainKey("weight_zero_point");
    }

    /** Act-order spreads a group over the columns: no blocks of neighbours, so float16. */
    @Test
    void inputsOutOfOrderBecomeFloats() {
        Tensor weight = weight(new IntegerGroup(4, 64, false));
        Map<String, Tensor> parts = new HashMap<>(new GptqLayout(true).pack(GroupedCodes.of(weight)));
        int[] order = new Random(1).ints(256, 0, 4).toArray();
        parts.put(
                "g_idx", new Tensor("g_idx", ScalarFormat.I32, new long[] {256}, MemorySegment.ofArray(bytes(order))));
        Tensor read = new GptqLayout(true).read("m", file(parts), 32, 256);
        assertThat(read.format()).isEqualTo(ScalarFormat.F16);
        float[] expected = PlainDecoders.decode(new GptqLayout(true), parts, 32, 256, 4);
        float[] found = read.toFloats();
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(expected[i])));
        }
    }

    private static byte[] bytes(int[] values) {
        return MemorySegment.ofArray(values).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Codes that others use too: 2 bits become groups of 3, 8 bits in the middle Q8_0, larger groups several small ones. */
    @Test
    void otherWidthsBecomeWhatHoldsThem() {
        assertThat(GroupedCodes.format(new Sizes(8, 256, 2, 2), true, GroupedCodes.inOrder(256, 2)))
                .isEqualTo(new IntegerGroup(3, 128, false));
        assertThat(GroupedCodes.format(new Sizes(8, 256, 8, 2), true, GroupedCodes.inOrder(256, 2)))
                .isEqualTo(new Q8_0());
        assertThat(GroupedCodes.format(new Sizes(8, 256, 8, 2), false, GroupedCodes.inOrder(256, 2)))
                .isEqualTo(ScalarFormat.F16);
        assertThat(GroupedCodes.format(new Sizes(8, 512, 4, 1), true, GroupedCodes.inOrder(512, 1)))
                .isEqualTo(new IntegerGroup(4, 128, true));
        Sizes wide = new Sizes(8, 512, 4, 2);
        byte[] zeros = new byte[16];
        java.util.Arrays.fill(zeros, (byte) 8);
        GroupedCodes codes = new GroupedCodes(wide, zeros, GroupedCodes.inOrder(512, 2));
        for (int row = 0; row < 8; row++) {
            codes.setScale(row, 0, 1);
            codes.setScale(row, 1, 2);
            for (int column = 0; column < 512; column++) {
                codes.setCode(row, column, (row + column) % 16);
            }
        }
        float[] read = codes.tensor("w").toFloats();
        for (int i = 0; i < read.length; i++) {
            int column = i % 512;
            assertThat(read[i]).isEqualTo((column < 256 ? 1 : 2) * ((i / 512 + column) % 16 - 8));
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void partsThatDoNotFitAreRefused(GroupLayout layout, IntegerGroup format) {
        Map<String, Tensor> whole = layout.pack(GroupedCodes.of(weight(format)));
        for (String name : whole.keySet()) {
            boolean needed = !name.equals("g_idx") && !name.equals("weight_zero_point") && !name.equals("weight_shape");
            Map<String, Tensor> without = new HashMap<>(whole);
            without.remove(name);
            if (needed) {
                assertThatThrownBy(() -> layout.read("m", file(without), 32, 256))
                        .isInstanceOf(MalformedModelException.class)
                        .hasMessageContaining("m." + name);
            }
            if (!name.equals("weight_shape")) {
                Map<String, Tensor> other = new HashMap<>(whole);
                other.put(
                        name,
                        Tensor.allocate(
                                name,
                                whole.get(name).format() == ScalarFormat.F16 ? ScalarFormat.F16 : ScalarFormat.I32,
                                7,
                                3));
                assertThatThrownBy(() -> layout.read("m", file(other), 32, 256))
                        .isInstanceOf(MalformedModelException.class)
                        .hasMessageContaining("m." + name);
            }
        }
    }
}
