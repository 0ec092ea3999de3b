/** ONNX Runtime as a second opinion on an exported model. */
@NullMarked
package dev.demitasse.infer.onnx;

import org.jspecify.annotations.NullMarked;
