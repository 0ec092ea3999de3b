package dev.demitasse.infer.packed;

/**
 * Some bits of every code of a stretch of 32 columns. A row's four bytes of vector v hold the codes of columns {@code v ·
 * 32 / bits} on: byte j has those of columns 4·i + j from there, the i-th in its i-th lowest field.
 *
 * @param bits in a field: 1, 2, 4 or 8
 * @param place of the fields' lowest bit in a code
 * @param offset bytes of each row from the stretch's codes to this plane's
 */
record Plane(int bits, int place, int offset) {
    /** Fields in a byte. */
    int fields() {
        return 8 / bits;
    }

    /** Vectors, each four bytes of every row. */
    int vectors() {
        return bits;
    }

    /** Bytes of each row. */
    int bytes() {
        return 4 * vectors();
    }

    /** {@code value} in every field of one byte's lowest, repeated over the four bytes of an int. */
    int mask() {
        return ((1 << bits) - 1) * 0x01010101;
    }
}
