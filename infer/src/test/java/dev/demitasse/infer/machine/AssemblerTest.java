package dev.demitasse.infer.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Encodings against what GNU objdump 2.40 reads in them: the file holds the bytes of each instruction and its disassembly. */
class AssemblerTest {
    private static final List<Consumer<Assembler>> INSTRUCTIONS = List.of(
            code -> code.push(Register.RBX),
            code -> code.push(Register.R12),
            code -> code.pop(Register.R15),
            code -> code.pop(Register.RBP),
            code -> code.move(Register.RAX, Register.R10),
            code -> code.move(Register.R13, Register.R8),
            code -> code.add(Register.RBP, Register.R11),
            code -> code.clear(Register.R9),
            code -> code.load(Register.R10, Register.RSP, 56),
            code -> code.load(Register.RAX, Register.R12, 512),
            code -> code.store(Register.R13, 24, Register.RDX),
            code -> code.add(Register.RDI, 127),
            code -> code.add(Register.R14, 128),
            code -> code.add(Register.RAX, -64),
            code -> code.decrement(Register.RSI),
            code -> code.decrement(Register.R9),
            code -> code.prefetch(Register.RDI, 4096),
            code -> code.prefetch(Register.R12, 64),
            Assembler::cpuid,
            Assembler::xgetbv,
            Assembler::ret,
            code -> code.loadVector(0, Register.RDI, 64),
            code -> code.loadVector(31, Register.R12, 32),
            code -> code.loadVector(9, Register.RSP, -8192),
            code -> code.storeVector(Register.RAX, 0, 17),
            code -> code.storeVector(Register.R13, 8128, 8),
            code -> code.broadcast(23, Register.R9, 12),
            code -> code.zero(30),
            code -> code.dotBroadcast(5, 29, Register.R12, 508),
            code -> code.dotBroadcast(21, 2, Register.RCX, 512),
            code -> code.and(29, 30, 26),
            code -> code.maskThenOr(28, 27, 29),
            code -> code.shiftRight(29, 31, 4),
            code -> code.shiftLeft(12, 3, 2),
            code -> code.lookUp(29, 28, 29),
            code -> code.toFloat(16, 7),
            code -> code.loadHalves(24, Register.RDI, 32),
            code -> code.loadBytes(25, Register.RDI, 48),
            code -> code.multiply(29, 29, 24),
            code -> code.multiplyBroadcast(30, 24, Register.R13, 44),
            code -> code.multiplyAdd(12, 0, 30),
            code -> code.multiplyAddBroadcast(23, 25, Register.R15, -512),
            code -> code.loadWords(24, Register.R10, 32),
            code -> code.addFloats(12, 17, 28),
            code -> code.shuffleQuarters(28, 3, 21, 0xee),
            code -> code.shuffleFloats(28, 17, 6, 0x4e));

    @Test
    void aDisassemblerReadsWhatIsMeant() throws IOException {
        List<String> recorded;
        try (InputStream file = AssemblerTest.class.getResourceAsStream("disassembly.txt")) {
            recorded = new String(Objects.requireNonNull(file).readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> line.split("\t")[0])
                    .toList();
        }
        assertThat(bytes()).isEqualTo(recorded);
    }

    @Test
    void aJumpGoesBackToItsTarget() {
        Assembler code = new Assembler();
        int start = code.position();
        code.decrement(Register.RSI);
        code.jumpIfNotZero(start);
        // 3 bytes of dec, 6 of jnz: −9 from the end.
        assertThat(HexFormat.of().formatHex(code.code())).isEqualTo("48ffce" + "0f85" + "f7ffffff");
    }

    private static List<String> bytes() {
        return INSTRUCTIONS.stream().flatMap(AssemblerTest::hex).toList();
    }

    private static Stream<String> hex(Consumer<Assembler> instruction) {
        Assembler code = new Assembler();
        instruction.accept(code);
        return Stream.of(HexFormat.of().formatHex(code.code()));
    }
}
