/** ONNX decoder graphs. */
@NullMarked
package dev.demitasse.export.onnx;

import org.jspecify.annotations.NullMarked;
