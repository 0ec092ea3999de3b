package dev.demitasse.export.onnx;

import dev.demitasse.export.weights.SourceTensor;
import dev.demitasse.model.onnx.OnnxBlocks;
import java.io.IOException;
import java.io.OutputStream;
import java.util.function.Supplier;

/** Writes codes, scales and zeros of a weight of a block format, row by row. */
final class SplitRows {
    private final OnnxBlocks form;
    private final Supplier<SourceTensor> source;

    /** @param source gives the weight when its bytes are wanted */
    SplitRows(OnnxBlocks form, Supplier<SourceTensor> source) {
        this.form = form;
        this.source = source;
    }

    void writeCodes(OutputStream target) throws IOException {
        write((codes, scales, zeros) -> target.write(codes));
    }

    void writeScales(OutputStream target) throws IOException {
        write((codes, scales, zeros) -> target.write(scales));
    }

    void writeZeros(OutputStream target) throws IOException {
        write((codes, scales, zeros) -> target.write(zeros));
    }

    @FunctionalInterface
    private interface Row {
        void write(byte[] codes, byte[] scales, byte[] zeros) throws IOException;
    }

    private void write(Row row) throws IOException {
        SourceTensor matrix = source.get();
        int blocks = form.blocks(matrix.columns());
        byte[] codes = new byte[blocks * form.codeBytes()];
        byte[] scales = new byte[blocks * Short.BYTES];
        byte[] zeros = new byte[form.hasZeros() ? form.zeroBytes(matrix.columns()) : 0];
        for (int i = 0; i < matrix.rows(); i++) {
            form.split(matrix.rowBytes(i), codes, scales, zeros);
            row.write(codes, scales, zeros);
        }
    }
}
