package dev.demitasse.export.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.onnx.OnnxNames;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Runs an exported graph in ONNX Runtime. */
public final class OrtDecoder implements AutoCloseable {
    /** What a sequence starts from. */
    static final Output NOTHING = new Output(Map.of(), Map.of());

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final ModelConfig config;

    public OrtDecoder(Path file, ModelConfig config) throws OrtException {
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(1);
        options.addConfigEntry("session.intra_op.allow_spinning", "0");
        this.session = environment.createSession(file.toString(), options);
        this.config = config;
    }

    /** Every output of one run by name, and its shape. */
    public record Output(Map<String, float[]> values, Map<String, long[]> shapes) {
        public float[] logits() {
            return values.get(OnnxNames.LOGITS);
        }
    }

    /** Runs {@code ids [B, S]} from position 0. */
    public Output run(int[]... ids) throws OrtException {
        long[][] mask = new long[ids.length][ids[0].length];
        for (long[] row : mask) {
            Arrays.fill(row, 1);
        }
        return run(ids, mask, NOTHING);
    }

    /**
     * Runs {@code ids [B, S]} after what {@code past} put out.
     *
     * @param mask {@code [B, past + S]}; positions count its ones
     */
    Output run(int[][] ids, long[][] mask, Output past) throws OrtException {
        int batch = ids.length;
        int sequence = ids[0].length;
        int total = mask[0].length;
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try {
            long[] flat = Arrays.stream(ids)
                    .flatMapToInt(Arrays::stream)
                    .asLongStream()
                    .toArray();
            inputs.put(OnnxNames.INPUT_IDS, longs(flat, batch, sequence));
            inputs.put(
                    OnnxNames.ATTENTION_MASK,
                    longs(Arrays.stream(mask).flatMapToLong(Arrays::stream).toArray(), batch, total));
            inputs.put(OnnxNames.POSITION_IDS, longs(positions(mask, sequence), batch, sequence));
            for (int layer = 0; layer < config.layers(); layer++) {
                long[] shape = {
                    batch,
                    config.attention(layer).keyValueHeads(),
                    total - sequence,
                    config.attention(layer).headDimension()
                };
                cache(inputs, OnnxNames.pastKey(layer), OnnxNames.presentKey(layer), past, shape);
                cache(inputs, OnnxNames.pastValue(layer), OnnxNames.presentValue(layer), past, shape);
            }
            try (OrtSession.Result result = session.run(inputs)) {
                Output output = new Output(new HashMap<>(), new HashMap<>());
                for (var entry : result) {
                    OnnxTensor tensor = (OnnxTensor) entry.getValue();
                    FloatBuffer buffer = tensor.getFloatBuffer();
                    float[] values = new float[buffer.remaining()];
                    buffer.get(values);
                    output.values.put(entry.getKey(), values);
                    output.shapes.put(entry.getKey(), tensor.getInfo().getShape());
                }
                return output;
            }
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    /**
     * Logits of {@code ids} from {@code from} up to {@code end}, and the cache after them.
     *
     * @param past the output for those before {@code from}; nothing of it is used where other rotary frequencies serve the
     *     longer sequence, which then runs from its start
     */
    Output next(int[] ids, int from, int end, Output past) throws OrtException {
        boolean again = from == 0 || lengthClass(config, from) != lengthClass(config, end);
        int start = again ? 0 : from;
        long[] mask = new long[end];
        Arrays.fill(mask, 1);
        Output output =
                run(new int[][] {Arrays.copyOfRange(ids, start, end)}, new long[][] {mask}, again ? NOTHING : past);
        int vocabulary = config.vocabularySize();
        float[] logits = output.logits();
        output.values.put(
                OnnxNames.LOGITS, Arrays.copyOfRange(logits, (from - start) * vocabulary, (end - start) * vocabulary));
        return output;
    }

    /** Which rotary frequencies serve a sequence of {@code length}. */
    static int lengthClass(ModelConfig config, int length) {
        return config.positions() instanceof Positions.Rotary rotary
                ? rotary.scaling().lengthClass(length)
                : 0;
    }

    private static long[] positions(long[][] mask, int sequence) {
        long[] positions = new long[mask.length * sequence];
        for (int row = 0; row < mask.length; row++) {
            int before = mask[row].length - sequence;
            long position = Arrays.stream(mask[row], 0, before).sum();
            for (int i = 0; i < sequence; i++) {
                positions[row * sequence + i] = position;
                position += mask[row][before + i];
            }
        }
        return positions;
    }

    private void cache(Map<String, OnnxTensor> inputs, String name, String present, Output past, long[] shape)
            throws OrtException {
        float[] values = past.values.getOrDefault(present, new float[0]);
        inputs.put(name, OnnxTensor.createTensor(environment, FloatBuffer.wrap(values), shape));
    }

    private OnnxTensor longs(long[] values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(environment, LongBuffer.wrap(values), shape);
    }

    @Override
    public void close() throws OrtException {
        session.close();
    }
}
