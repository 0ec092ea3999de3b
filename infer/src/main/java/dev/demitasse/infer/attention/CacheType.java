package dev.demitasse.infer.attention;

/** What keys and values are kept in. */
public enum CacheType {
    /** As they were computed. */
    F32,
    /** Half the memory, some three decimal digits. */
    F16,
    /** A bit over a quarter of the memory: 8 bits, with one scale for each 32 numbers of a head. */
    Q8_0
}
