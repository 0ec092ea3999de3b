package dev.demitasse.model.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds of every block format. */
class BlockFormatTest {
    private static List<BlockFormat> formats() {
        return TensorFormat.all().stream()
                .filter(BlockFormat.class::isInstance)
                .map(BlockFormat.class::cast)
                .toList();
    }

    /** Any numbers that a quantizer may choose come back as they were put. */
    @ParameterizedTest
    @MethodSource("formats")
    void numbersComeBackAsTheyWerePacked(BlockFormat format) {
        Random random = new Random(7);
        MemorySegment bytes = MemorySegment.ofArray(new byte[3 + format.bytesPerBlock()]);
        for (int round = 0; round < 200; round++) {
            BlockNumbers numbers = random(format.scheme(), random);
            format.pack(numbers, bytes, 3);
            BlockNumbers found = new BlockNumbers(format.scheme());
            format.unpack(bytes, 3, found);
            assertThat(found.codes).isEqualTo(numbers.codes);
            assertThat(found.scaleCodes).isEqualTo(numbers.scaleCodes);
            assertThat(found.minimumCodes).isEqualTo(numbers.minimumCodes);
            assertThat(found.scale).isEqualTo(numbers.scale);
            assertThat(found.minimum).isEqualTo(numbers.minimum);
        }
    }

    private static BlockNumbers random(BlockScheme scheme, Random random) {
        BlockNumbers numbers = new BlockNumbers(scheme);
        numbers.scale = scheme.scaleFormat().round(Math.exp(6 * random.nextDouble() - 3));
        for (int i = 0; i < numbers.codes.length; i++) {
            numbers.codes[i] = (byte) code(scheme.levels(), random);
        }
        for (int i = 0; i < numbers.scaleCodes.length; i++) {
            numbers.scaleCodes[i] = (byte) scheme.scaleCodes()
                    .map(codes -> code(codes, random))
                    .orElse(1)
                    .intValue();
            numbers.minimumCodes[i] = (byte)
                    switch (scheme.offset()) {
                        case BlockScheme.Offset.None none -> 0;
                        case BlockScheme.Offset.Minimum minimum -> 0;
                        case BlockScheme.Offset.MinimumCodes codes -> random.nextInt(codes.largest() + 1);
                        case BlockScheme.Offset.Zero zero -> code(scheme.levels(), random);
                    };
        }
        boolean minimum = scheme.offset() instanceof BlockScheme.Offset.Minimum
                || scheme.offset() instanceof BlockScheme.Offset.MinimumCodes;
        numbers.minimum = minimum ? ScaleFormat.F16.round(random.nextGaussian()) : 0;
        return numbers;
    }

    private static int code(Levels levels, Random random) {
        return switch (levels) {
            case Levels.Integers integers -> random.nextInt(integers.least(), integers.greatest() + 1);
            case Levels.Table table -> random.nextInt(table.count());
        };
    }

    /** Decoding is what the scheme says it is, whatever the bytes. */
    @ParameterizedTest
    @MethodSource("formats")
    void decodingFollowsTheScheme(BlockFormat format) {
        Random random = new Random(11);
        BlockScheme scheme = format.scheme();
        byte[] raw = new byte[format.bytesPerBlock()];
        float[] decoded = new float[format.blockSize()];
        for (int round = 0; round < 100; round++) {
            random.nextBytes(raw);
            MemorySegment bytes = MemorySegment.ofArray(raw);
            BlockNumbers numbers = new BlockNumbers(scheme);
            format.unpack(bytes, 0, numbers);
            format.decode(bytes, 0, decoded, 0, decoded.length);
            for (int i = 0; i < decoded.length; i++) {
                int sub = i / scheme.subSize();
                float level = scheme.levels()
                        .of(scheme.levels() instanceof Levels.Table ? numbers.codes[i] & 0xff : numbers.codes[i]);
                float expected = scheme.offset() instanceof BlockScheme.Offset.Zero
                        ? numbers.step(sub) * (level - numbers.minimumCodes[sub])
                        : numbers.step(sub) * level + numbers.base(sub);
                assertThat(decoded[i] == expected || Float.isNaN(expected) && Float.isNaN(decoded[i]))
                        .isTrue();
            }
        }
    }

    /** A constant, zeros and numbers below float16's smallest are met or become 0; never anything else. */
    @ParameterizedTest
    @MethodSource("formats")
    void oddBlocksStayFinite(BlockFormat format) {
        int size = format.blockSize();
        MemorySegment bytes = MemorySegment.ofArray(new byte[format.bytesPerBlock()]);
        float[] decoded = new float[size];
        for (float value : new float[] {0, 1, -3, 1e-9f, -1e-20f, 1e-42f, format.rowScaled() ? 440 : 30000}) {
            float[] source = new float[size];
            java.util.Arrays.fill(source, value);
            format.encode(source, 0, size, bytes, 0);
            format.decode(bytes, 0, decoded, 0, size);
            for (float found : decoded) {
                assertThat(Math.abs(found - value))
                        .as("%s of %s", value, format.id())
                        .isLessThanOrEqualTo(Math.abs(value) * 0.51f + 1e-7f);
            }
        }
    }
}
