package dev.demitasse.model.gguf;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.gguf.ImportanceMatrix.Sums;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Importance matrices as llama-imatrix wrote them before they were GGUF, and ik_llama.cpp does. Little-endian: the number of
 * entries; of each its name, how many chunks it has seen, the number of its values and these, means times chunks; then the
 * number of chunks and the name of the text, if they are there. Names and values have their length before them.
 */
final class LegacyImportance {
    private final Path path;
    private final ByteBuffer bytes;

    private LegacyImportance(Path path, byte[] bytes) {
        this.path = path;
        this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    static ImportanceMatrix read(Path path) throws IOException {
        return new LegacyImportance(path, Files.readAllBytes(path)).read();
    }

    private ImportanceMatrix read() {
        int count = number("entries", bytes.remaining());
        Map<String, Sums> entries = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String name = text();
            int calls = number("chunks", Integer.MAX_VALUE);
            entries.put(name, ImportanceMatrix.checked(path, name, floats(), new float[] {Math.max(1, calls)}));
        }
        int chunks = bytes.hasRemaining() ? Math.max(1, number("chunks", Integer.MAX_VALUE)) : 1;
        List<String> datasets = bytes.hasRemaining() ? List.of(text()) : List.of();
        return ImportanceMatrix.of(path, datasets, chunks, 1, entries);
    }

    private int number(String what, int most) {
        if (bytes.remaining() < Integer.BYTES) {
            throw malformed("ends before the number of " + what);
        }
        int number = bytes.getInt();
        if (number < 0 || number > most) {
            throw malformed("cannot have %,d %s".formatted(number, what));
        }
        return number;
    }

    private String text() {
        byte[] letters = new byte[number("letters", bytes.remaining() - Integer.BYTES)];
        bytes.get(letters);
        return new String(letters, StandardCharsets.UTF_8);
    }

    private float[] floats() {
        float[] values = new float[number("values", (bytes.remaining() - Integer.BYTES) / Float.BYTES)];
        bytes.asFloatBuffer().get(values);
        bytes.position(bytes.position() + Float.BYTES * values.length);
        return values;
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(
                path, problem + ", as an importance matrix", "check the name, or make it anew");
    }
}
