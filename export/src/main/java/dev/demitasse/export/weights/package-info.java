/** A checkpoint's weights as an exporter wants them: decoded, rows in the order of the target format. */
@NullMarked
package dev.demitasse.export.weights;

import org.jspecify.annotations.NullMarked;
