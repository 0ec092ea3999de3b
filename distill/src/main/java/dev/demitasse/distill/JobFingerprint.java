package dev.demitasse.distill;

import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A hash of all that decides what a training computes, wherever its files lie: a state of another job must not be resumed. */
final class JobFingerprint {
    /** Bytes of each tensor that are looked at: enough to tell two trainings of one model apart. */
    private static final long SAMPLE = 4096;

    private final MessageDigest digest;

    JobFingerprint() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    JobFingerprint add(String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
        return this;
    }

    /** Configuration and the start of each tensor. */
    JobFingerprint add(SourceWeights weights) {
        ModelConfig config = weights.config();
        add(config.family().write(config).toString());
        for (TensorKey key : config.tensors()) {
            Tensor tensor = weights.tensor().apply(key);
            MemorySegment data = tensor.data();
            digest.update(data.asSlice(0, Math.min(SAMPLE, data.byteSize())).toArray(ValueLayout.JAVA_BYTE));
        }
        return this;
    }

    String value() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
