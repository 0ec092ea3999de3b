package dev.demitasse.infer.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.Session;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.onnx.OnnxNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * A decoder graph run by ONNX Runtime: whole windows for scoring, or token by token over the cache of keys and values
 * that the graph takes and gives. Inputs and outputs are {@link OnnxNames}'; a graph may do without the position ids or
 * the attention mask.
 */
public final class OrtModel implements LanguageModel, Scorer {
    private static final int THREADS = 2;

    private final Path path;
    private final ModelConfig config;
    private final OrtEnvironment environment;
    private final OrtSession session;

    private OrtModel(Path path, ModelConfig config, OrtEnvironment environment, OrtSession session) {
        this.path = path;
        this.config = config;
        this.environment = environment;
        this.session = session;
    }

    /**
     * Loads {@code path}; the model's configuration is in its metadata or in a config.json beside it.
     *
     * @throws InvalidRequestException if there is no such file, or nothing says what model it is
     * @throws MalformedModelException if ONNX Runtime cannot load it, or it is no decoder
     */
    public static OrtModel open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "name an .onnx file");
        }
        Telemetry.forbid();
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(THREADS);
            // Spinning threads would take the cores from whatever runs beside.
            options.addConfigEntry("session.intra_op.allow_spinning", "0");
            OrtSession session = environment.createSession(path.toString(), options);
            try {
                return new OrtModel(path, config(path, session), environment, session);
            } catch (RuntimeException | IOException | OrtException e) {
                session.close();
                throw e;
            }
        } catch (OrtException e) {
            throw new MalformedModelException(
                    path, "ONNX Runtime cannot load it: " + e.getMessage(), "export the model again", e);
        }
    }

    private static ModelConfig config(Path path, OrtSession session) throws IOException, OrtException {
        Set<String> inputs = session.getInputNames();
        if (!inputs.contains(OnnxNames.INPUT_IDS) || !inputs.contains(OnnxNames.pastKey(0))) {
            throw new MalformedModelException(
                    path,
                    "has the inputs " + inputs + ", not those of a decoder with a cache",
                    "export the model again");
        }
        Optional<String> json = session.getMetadata().getCustomMetadataValue(OnnxNames.CONFIG);
        if (json.isPresent()) {
            return Families.read(ConfigJson.parse(path, json.get()));
        }
        Path beside = path.toAbsolutePath().resolveSibling("config.json");
        if (!Files.exists(beside)) {
            throw new InvalidRequestException(
                    path, "does not say which model it is", "put the model's config.json beside it");
        }
        return Families.read(ConfigJson.read(beside));
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Session newSession(int capacity) {
        return new OrtDecoding(path, config, environment, session, capacity);
    }

    @Override
    public float[] logits(int[] window) {
        try (Session fresh = newSession(window.length)) {
            return fresh.forward(window, Logits.ALL);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException(path + ": ONNX Runtime cannot close it", e);
        }
    }
}
