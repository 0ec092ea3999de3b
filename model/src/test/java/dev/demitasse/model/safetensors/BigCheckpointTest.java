package dev.demitasse.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint of Llama-2-7B's widths that is larger than the heap opens and streams; its files are holes. */
class BigCheckpointTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long HIDDEN = 4096;
    private static final long NEURONS = 11008;
    private static final long VOCABULARY = 32000;
    private static final long LAYER_BYTES = 2 * (4 * HIDDEN * HIDDEN + 3 * HIDDEN * NEURONS + 2 * HIDDEN);

    @TempDir
    private Path folder;

    private final ObjectNode index = JSON.createObjectNode();
    private final ObjectNode map = index.putObject("weight_map");
    private long total;

    private record Slot(String name, long... shape) {
        private long bytes() {
            return 2 * Tensor.elements(shape);
        }
    }

    private static List<Slot> layer(int layer) {
        String prefix = "model.layers." + layer + ".";
        List<Slot> slots = new ArrayList<>();
        slots.add(new Slot(prefix + "input_layernorm.weight", HIDDEN));
        for (String projection : List.of("q", "k", "v", "o")) {
            slots.add(new Slot(prefix + "self_attn." + projection + "_proj.weight", HIDDEN, HIDDEN));
        }
        slots.add(new Slot(prefix + "post_attention_layernorm.weight", HIDDEN));
        slots.add(new Slot(prefix + "mlp.gate_proj.weight", NEURONS, HIDDEN));
        slots.add(new Slot(prefix + "mlp.up_proj.weight", NEURONS, HIDDEN));
        slots.add(new Slot(prefix + "mlp.down_proj.weight", HIDDEN, NEURONS));
        return slots;
    }

    /** Writes a file whose data are zeros but for the last two bytes: 1.5 in BF16. */
    private void write(String name, List<Slot> slots) throws IOException {
        ObjectNode header = JSON.createObjectNode();
        long at = 0;
        for (Slot slot : slots) {
            ObjectNode entry = header.putObject(slot.name).put("dtype", "BF16");
            for (long dimension : slot.shape) {
                entry.withArray("shape").add(dimension);
            }
            entry.putArray("data_offsets").add(at).add(at + slot.bytes());
            at += slot.bytes();
            map.put(slot.name, name);
        }
        byte[] text = JSON.writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
        try (RandomAccessFile file = new RandomAccessFile(folder.resolve(name).toFile(), "rw")) {
            file.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(text.length)
                    .array());
            file.write(text);
            file.setLength(8 + text.length + at);
            file.seek(8 + text.length + at - 2);
            file.write(new byte[] {(byte) 0xc0, 0x3f});
        }
        total += at;
    }

    private int write() throws IOException {
        int layers = (int) (Runtime.getRuntime().maxMemory() / LAYER_BYTES) + 1;
        write("first.safetensors", List.of(new Slot("model.embed_tokens.weight", VOCABULARY, HIDDEN)));
        for (int layer = 0; layer < layers; layer++) {
            write("layer-" + layer + ".safetensors", layer(layer));
        }
        write(
                "last.safetensors",
                List.of(new Slot("model.norm.weight", HIDDEN), new Slot("lm_head.weight", VOCABULARY, HIDDEN)));
        Files.writeString(folder.resolve("model.safetensors.index.json"), JSON.writeValueAsString(index));
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": %d, "hidden_size": %d,
                 "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": 32,
                 "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
                """.formatted(VOCABULARY, HIDDEN, NEURONS, layers));
        return layers;
    }

    private static float last(Tensor tensor) {
        float[] row = new float[tensor.columns()];
        tensor.readRow(tensor.rows() - 1, row, 0);
        return row[row.length - 1];
    }

    @Test
    void whatIsLargerThanTheHeapStreams() throws IOException {
        int layers = write();
        assertThat(total).isGreaterThan(Runtime.getRuntime().maxMemory());
        ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = memory.getCurrentThreadAllocatedBytes();
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(last(checkpoint.tensor(TensorKey.weight(Role.EMBEDDING))))
                    .isEqualTo(1.5f);
            assertThat(last(checkpoint.tensor(TensorKey.weight(Role.DOWN, layers - 1))))
                    .isEqualTo(1.5f);
            assertThat(last(checkpoint.tensor(TensorKey.weight(Role.QUERY, 0)))).isZero();
            assertThat(last(checkpoint.tensor(TensorKey.weight(Role.HEAD)))).isEqualTo(1.5f);
            assertThat(checkpoint.fileBytes()).isGreaterThan(total);
        }
        assertThat(memory.getCurrentThreadAllocatedBytes() - before).isLessThan(64 << 20);
    }
}
