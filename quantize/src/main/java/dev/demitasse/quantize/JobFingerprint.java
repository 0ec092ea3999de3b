package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.gguf.ImportanceMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * A hash of all that decides what a quantization computes, wherever its files lie: options, calibration tokens, the model's
 * configuration and formats, and samples from all over each tensor (a 7B checkpoint is not read through for it).
 */
final class JobFingerprint {
    /** Raised when the same job gives other bytes than before. */
    private static final String VERSION = "1";

    private static final int SAMPLES = 64;
    private static final int SAMPLE_BYTES = 64;

    private final MessageDigest digest;

    private JobFingerprint() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static String of(QuantizationJob job) {
        JobFingerprint fingerprint = new JobFingerprint();
        fingerprint.add(VERSION);
        // Sums of vectors are added in an order that depends on the width.
        fingerprint.add(Integer.toString(Lanes.COUNT));
        fingerprint.add(job.options().toString());
        fingerprint.add(job.calibration().map(TokenWindows::fingerprint).orElse(""));
        job.importance().ifPresent(fingerprint::add);
        fingerprint.add(job.source());
        return HexFormat.of().formatHex(fingerprint.digest.digest());
    }

    private void add(String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
    }

    private void add(ImportanceMatrix importance) {
        for (String tensor : importance.tensors()) {
            add(tensor);
            importance.sums(tensor).ifPresent(sums -> {
                digest.update(MemorySegment.ofArray(sums.squares()).toArray(ValueLayout.JAVA_BYTE));
                digest.update(MemorySegment.ofArray(sums.counts()).toArray(ValueLayout.JAVA_BYTE));
            });
        }
    }

    private void add(Checkpoint source) {
        add(source.config().family().write(source.config()).toString());
        for (TensorKey key : source.config().tensors()) {
            Tensor tensor = source.tensor(key);
            add(tensor.format().id() + Arrays.toString(tensor.shape()));
            MemorySegment data = tensor.data();
            long step = Math.max(SAMPLE_BYTES, data.byteSize() / SAMPLES);
            for (long at = 0; at < data.byteSize(); at += step) {
                long bytes = Math.min(SAMPLE_BYTES, data.byteSize() - at);
                digest.update(data.asSlice(at, bytes).toArray(ValueLayout.JAVA_BYTE));
            }
            if (data.isMapped()) {
                data.unload();
            }
        }
    }
}
