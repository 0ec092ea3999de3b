package dev.demitasse.infer.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.Attention;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.onnx.OnnxNames;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * One sequence of an {@link OrtModel}: the cache is what the last run gave, fed to the next as it is, unless keys turn
 * otherwise from there on ({@link ModelConfig#turnsKeysAnew}).
 */
final class OrtDecoding implements Session {
    private final Path path;
    private final ModelConfig config;
    private final OrtEnvironment environment;
    private final OrtSession session;
    private final int capacity;
    private int[] sequence = {};
    private OrtSession.@Nullable Result last;

    OrtDecoding(Path path, ModelConfig config, OrtEnvironment environment, OrtSession session, int capacity) {
        this.path = path;
        this.config = config;
        this.environment = environment;
        this.session = session;
        this.capacity = capacity;
    }

    @Override
    public int position() {
        return sequence.length;
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public float[] forward(int[] tokens, Logits keep) {
        int position = sequence.length;
        if (tokens.length == 0 || tokens.length > capacity - position) {
            throw new InvalidRequestException(
                    "context",
                    "%,d tokens do not fit after %,d of %,d positions".formatted(tokens.length, position, capacity),
                    "give at least one token, shorten the text or ask for a larger context");
        }
        checkTokens(tokens);
        int[] longer = Arrays.copyOf(sequence, position + tokens.length);
        System.arraycopy(tokens, 0, longer, position, tokens.length);
        if (config.turnsKeysAnew(position, longer.length)) {
            close();
            position = 0;
        }
        List<OnnxTensor> ours = new ArrayList<>();
        try {
            OrtSession.Result result = session.run(inputs(longer, position, ours));
            close();
            last = result;
            sequence = longer;
            return logits(result, longer.length - position, keep == Logits.ALL ? tokens.length : 1);
        } catch (OrtException e) {
            throw new MalformedModelException(
                    path, "ONNX Runtime cannot run it: " + e.getMessage(), "export the model again", e);
        } finally {
            ours.forEach(OnnxTensor::close);
        }
    }

    private void checkTokens(int[] tokens) {
        for (int token : tokens) {
            if (token < 0 || token >= config.vocabularySize()) {
                throw new InvalidRequestException(
                        "token " + token,
                        "the model's vocabulary has %,d".formatted(config.vocabularySize()),
                        "use the tokenizer that came with the model");
            }
        }
    }

    /** For the tokens of {@code all} from {@code position} on. */
    private Map<String, OnnxTensorLike> inputs(int[] all, int position, List<OnnxTensor> ours) throws OrtException {
        int total = all.length;
        Map<String, OnnxTensorLike> inputs = new LinkedHashMap<>();
        long[] ids = Arrays.stream(all, position, total).asLongStream().toArray();
        inputs.put(OnnxNames.INPUT_IDS, row(ids, ours));
        if (session.getInputNames().contains(OnnxNames.ATTENTION_MASK)) {
            inputs.put(
                    OnnxNames.ATTENTION_MASK,
                    row(LongStream.generate(() -> 1).limit(total).toArray(), ours));
        }
        if (session.getInputNames().contains(OnnxNames.POSITION_IDS)) {
            inputs.put(
                    OnnxNames.POSITION_IDS,
                    row(LongStream.range(position, total).toArray(), ours));
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            inputs.put(OnnxNames.pastKey(layer), past(layer, OnnxNames.presentKey(layer), ours));
            inputs.put(OnnxNames.pastValue(layer), past(layer, OnnxNames.presentValue(layer), ours));
        }
        return inputs;
    }

    private OnnxTensor row(long[] values, List<OnnxTensor> ours) throws OrtException {
        OnnxTensor tensor =
                OnnxTensor.createTensor(environment, LongBuffer.wrap(values), new long[] {1, values.length});
        ours.add(tensor);
        return tensor;
    }

    /** The last run's output {@code name}, or keys or values of no position before the first run. */
    private OnnxTensor past(int layer, String name, List<OnnxTensor> ours) throws OrtException {
        if (last != null) {
            return output(last, name);
        }
        Attention attention = config.attention(layer);
        long[] shape = {1, attention.keyValueHeads(), 0, attention.headDimension()};
        OnnxTensor empty = OnnxTensor.createTensor(environment, FloatBuffer.allocate(0), shape);
        ours.add(empty);
        return empty;
    }

    private OnnxTensor output(OrtSession.Result result, String name) {
        OnnxValue value = result.get(name).orElse(null);
        if (value instanceof OnnxTensor tensor) {
            return tensor;
        }
        throw new MalformedModelException(path, "gives no tensor '" + name + "'", "export the model again");
    }

    /** The last {@code rows} of those for {@code tokens}. */
    private float[] logits(OrtSession.Result result, int tokens, int rows) {
        FloatBuffer buffer = output(result, OnnxNames.LOGITS).getFloatBuffer();
        int vocabulary = config.vocabularySize();
        if (buffer.remaining() != (long) tokens * vocabulary) {
            throw new MalformedModelException(
                    path,
                    "gives %,d logits for %d tokens, its vocabulary is %,d"
                            .formatted(buffer.remaining(), tokens, vocabulary),
                    "export the model again");
        }
        float[] logits = new float[Math.multiplyExact(rows, vocabulary)];
        buffer.position((tokens - rows) * vocabulary).get(logits);
        return logits;
    }

    @Override
    public void truncate(int length) {
        throw new UnsupportedOperationException("ONNX Runtime's cache");
    }

    @Override
    public void close() {
        if (last != null) {
            last.close();
            last = null;
        }
    }
}
