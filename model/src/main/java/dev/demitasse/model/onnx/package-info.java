/** ONNX files. */
@NullMarked
package dev.demitasse.model.onnx;

import org.jspecify.annotations.NullMarked;
