package dev.demitasse.datasets;

import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The characters of a UTF-8 file, a byte order mark left out. A byte that is not UTF-8 is an error with its place. */
final class Utf8Reader extends Reader {
    private final Path path;
    private final InputStream input;
    private final ByteBuffer bytes = ByteBuffer.allocate(1 << 16).limit(0);
    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);

    /** How many bytes of the file stood before {@link #bytes}'s first. */
    private long offset;

    private boolean exhausted;

    private Utf8Reader(Path path, InputStream input) {
        this.path = path;
        this.input = input;
    }

    /** Opens {@code path}, which must be a file with something in it. */
    static Utf8Reader open(Path path) {
        Utf8Reader reader = new Utf8Reader(path, bytes(path));
        try {
            reader.skipByteOrderMark();
            if (reader.exhausted && !reader.bytes.hasRemaining()) {
                reader.close();
                throw new InvalidRequestException(path, "the file is empty, text was expected", "name another");
            }
            return reader;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The bytes of {@code path}, which must be a file. */
    static InputStream bytes(Path path) {
        if (Files.isDirectory(path)) {
            throw new InvalidRequestException(path, "this is a folder, a file was expected", "name a file in it");
        }
        try {
            return Files.newInputStream(path);
        } catch (NoSuchFileException e) {
            throw new InvalidRequestException(path, "there is no such file", "check the path");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void skipByteOrderMark() throws IOException {
        refill();
        boolean marked = bytes.remaining() >= 3
                && bytes.get(0) == (byte) 0xEF
                && bytes.get(1) == (byte) 0xBB
                && bytes.get(2) == (byte) 0xBF;
        if (marked) {
            bytes.position(3);
        }
    }

    @Override
    public int read(char[] target, int from, int length) throws IOException {
        if (length < 2) {
            throw new IllegalArgumentException("a character beyond U+FFFF needs room for two");
        }
        CharBuffer characters = CharBuffer.wrap(target, from, length).slice();
        while (characters.position() == 0) {
            CoderResult result = decoder.decode(bytes, characters, exhausted);
            if (result.isError()) {
                throw notUtf8();
            }
            if (characters.position() == 0) {
                if (exhausted) {
                    return -1;
                }
                refill();
            }
        }
        return characters.position();
    }

    private void refill() throws IOException {
        offset += bytes.position();
        bytes.compact();
        int count = input.readNBytes(bytes.array(), bytes.position(), bytes.remaining());
        exhausted = bytes.hasRemaining() && count < bytes.remaining();
        bytes.position(bytes.position() + count).flip();
    }

    private InvalidRequestException notUtf8() {
        long position = offset + bytes.position();
        boolean wide = position == 0 && bytes.remaining() >= 2 && (bytes.get(0) & bytes.get(1) & 0xFE) == 0xFE;
        return new InvalidRequestException(
                path,
                "not UTF-8: byte 0x%02X at position %,d".formatted(bytes.get(bytes.position()) & 0xFF, position),
                wide
                        ? "it looks like UTF-16; convert it: iconv -f UTF-16 -t UTF-8"
                        : "convert it, from Latin-1 for example: iconv -f LATIN1 -t UTF-8");
    }

    @Override
    public void close() throws IOException {
        input.close();
    }
}
