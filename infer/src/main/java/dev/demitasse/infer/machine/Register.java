package dev.demitasse.infer.machine;

/** The sixteen 64-bit general registers, in the order of their numbers. */
public enum Register {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15
}
