package dev.demitasse.model.files;

import dev.demitasse.model.Tensor;
import java.nio.file.Path;
import java.util.Map;

/** A mapped file of named tensors; closing unmaps it, after which none of them may be touched. */
public interface TensorFile extends AutoCloseable {
    Path path();

    /** All tensors by name, in the file's order. */
    Map<String, Tensor> tensors();

    @Override
    void close();
}
