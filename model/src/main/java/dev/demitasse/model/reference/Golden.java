package dev.demitasse.model.reference;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What another implementation computed for the checkpoint in the same folder, from {@code golden.safetensors}:
 * {@code input_ids [B, T]} and {@code logits [B, T, V]}; optionally {@code hidden_states [L + 1, B, T, H]},
 * {@code last_block_output [B, T, H]}, {@code greedy [B, G]}; and all of them again with the suffix {@code _long} for
 * sequences of another length. Encoders' files have {@code attention_mask [B, T]}, 0 at padding, and
 * {@code token_type_ids [B, T]} too.
 *
 * @param sequences every sequence of the file, those of {@code _long} last
 */
public record Golden(List<Sequence> sequences) {
    public static final String FILE = "golden.safetensors";

    public Golden {
        sequences = List.copyOf(sequences);
    }

    /**
     * One sequence and what the model makes of it.
     *
     * @param inputIds {@code [T]}
     * @param logits {@code [T, V]}, row-major
     * @param hiddenStates the embeddings, the residual stream after each block but the last, and the last block's after
     *     the final norm, each {@code [T, H]}; empty where the file has none
     * @param lastBlockOutput the residual stream after the last block, before the final norm, {@code [T, H]}
     * @param attended the attention mask, {@code [T]}
     * @param tokenTypes segments, {@code [T]}
     * @param greedy a prompt (the first of {@code inputIds}) and the tokens that greedy decoding appends to it
     */
    public record Sequence(
            int[] inputIds,
            float[] logits,
            List<float[]> hiddenStates,
            Optional<float[]> lastBlockOutput,
            Optional<int[]> greedy,
            Optional<boolean[]> attended,
            Optional<int[]> tokenTypes) {
        /** What the model is given. */
        public TokenInput input() {
            return new TokenInput(inputIds, attended, tokenTypes);
        }

        /** How many tokens {@link #inputIds} has. */
        public int length() {
            return inputIds.length;
        }

        /** V. */
        public int vocabularySize() {
            return logits.length / inputIds.length;
        }
    }

    /** Whether {@code folder} holds golden outputs. */
    public static boolean isIn(Path folder) {
        return Files.exists(folder.resolve(FILE));
    }

    /**
     * @throws InvalidRequestException if {@code folder} has no golden.safetensors
     * @throws MalformedModelException if its tensors do not fit each other
     */
    public static Golden read(Path folder) throws IOException {
        Path path = folder.resolve(FILE);
        if (!Files.exists(path)) {
            throw new InvalidRequestException(
                    folder, "has no " + FILE, "write one with the reference implementation's outputs");
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            List<Sequence> sequences = new ArrayList<>(sequences(file, ""));
            if (file.tensors().containsKey("input_ids_long")) {
                sequences.addAll(sequences(file, "_long"));
            }
            return new Golden(sequences);
        }
    }

    private static List<Sequence> sequences(SafetensorsFile file, String suffix) {
        Tensor ids = shaped(file, "input_ids" + suffix, 2);
        Tensor logits = shaped(file, "logits" + suffix, 3);
        int count = Math.toIntExact(ids.shape()[0]);
        int length = ids.columns();
        requirePrefix(file, logits, count, length);
        Optional<Tensor> states = optional(file, "hidden_states" + suffix, 4);
        Optional<Tensor> last = optional(file, "last_block_output" + suffix, 3);
        last.ifPresent(tensor -> requirePrefix(file, tensor, count, length));
        int layers = 0;
        if (states.isPresent()) {
            layers = Math.toIntExact(states.get().shape()[0]);
            requirePrefix(file, states.get(), layers, count, length);
        }
        Optional<int[]> greedy = optional(file, "greedy" + suffix, 2)
                .filter(tensor -> tensor.shape()[0] == count)
                .map(Tensor::toInts);
        Optional<int[]> masks = integers(file, "attention_mask" + suffix, count, length);
        Optional<int[]> types = integers(file, "token_type_ids" + suffix, count, length);
        int[] allIds = ids.toInts();
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            List<float[]> hidden = new ArrayList<>();
            for (int layer = 0; layer < layers; layer++) {
                hidden.add(part(states.orElseThrow(), layer * count + i, layers * count));
            }
            int index = i;
            sequences.add(new Sequence(
                    Arrays.copyOfRange(allIds, i * length, (i + 1) * length),
                    part(logits, i, count),
                    hidden,
                    last.map(tensor -> part(tensor, index, count)),
                    greedy.map(all -> {
                        int width = all.length / count;
                        return Arrays.copyOfRange(all, index * width, (index + 1) * width);
                    }),
                    masks.map(all -> {
                        boolean[] attended = new boolean[length];
                        for (int at = 0; at < length; at++) {
                            attended[at] = all[index * length + at] != 0;
                        }
                        return attended;
                    }),
                    types.map(all -> Arrays.copyOfRange(all, index * length, (index + 1) * length))));
        }
        return sequences;
    }

    /** The {@code index}-th of {@code count} equal parts of {@code tensor}. */
    private static float[] part(Tensor tensor, int index, int count) {
        int rows = tensor.rows() / count;
        int columns = tensor.columns();
        float[] values = new float[Math.multiplyExact(rows, columns)];
        for (int row = 0; row < rows; row++) {
            tensor.readRow(index * rows + row, values, row * columns);
        }
        return values;
    }

    private static Optional<int[]> integers(SafetensorsFile file, String name, int count, int length) {
        Optional<Tensor> tensor = optional(file, name, 2);
        tensor.ifPresent(present -> requirePrefix(file, present, count, length));
        return tensor.map(Tensor::toInts);
    }

    private static Optional<Tensor> optional(SafetensorsFile file, String name, int rank) {
        return file.tensors().containsKey(name) ? Optional.of(shaped(file, name, rank)) : Optional.empty();
    }

    private static Tensor shaped(SafetensorsFile file, String name, int rank) {
        Tensor tensor = file.tensor(name);
        if (tensor.rank() != rank || tensor.elements() == 0) {
            throw malformed(file, tensor, "%d dimensions".formatted(rank));
        }
        return tensor;
    }

    private static void requirePrefix(SafetensorsFile file, Tensor tensor, long... prefix) {
        if (!Arrays.equals(Arrays.copyOf(tensor.shape(), prefix.length), prefix)) {
            throw malformed(file, tensor, "a shape that starts with " + Arrays.toString(prefix));
        }
    }

    private static MalformedModelException malformed(SafetensorsFile file, Tensor tensor, String expected) {
        return new MalformedModelException(
                file.path(), "tensor '%s' should have %s".formatted(tensor, expected), "write the file again");
    }
}
