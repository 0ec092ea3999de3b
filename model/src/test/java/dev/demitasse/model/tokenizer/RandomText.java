package dev.demitasse.model.tokenizer;

import java.util.Random;

/**
 * Seeded random texts: words of several scripts, digits, punctuation, runs of white space, emoji joined and coloured,
 * combining marks, control characters, and code points from all planes. No lone surrogates, and no ▁, which
 * SentencePiece takes for a space.
 */
public final class RandomText {
    private static final int[][] SCRIPTS = {
        {'a', 'z'},
        {'A', 'Z'},
        {'0', '9'},
        {'!', '/'},
        {0xC0, 0x17F},
        {0x3B1, 0x3C9},
        {0x410, 0x44F},
        {0x5D0, 0x5EA},
        {0x621, 0x64A},
        {0x904, 0x939},
        {0xE01, 0xE30},
        {0x1780, 0x17B3},
        {0x3041, 0x3096},
        {0x4E00, 0x9FA5},
        {0xAC00, 0xD7A3},
        {0x1F300, 0x1F64F},
        {0x1F3FB, 0x1F3FF},
        {0x10400, 0x1044F},
        {0x20000, 0x2A6DF},
        {0x300, 0x36F},
        {0xFB00, 0xFB06},
        {0xFF01, 0xFF5E}
    };
    private static final String[] ODDITIES = {
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\u200d",
        "\ufe0f",
        "'s",
        "'LL",
        "\ufffd",
        "\u0000",
        "\u0007",
        "\u0085",
        "\u2028",
        "</",
        "##",
        "\u1100\u1161",
        "e\u0301",
        "\u212b"
    };

    private final Random random;

    public RandomText(long seed) {
        this.random = new Random(seed);
    }

    /** The next text, of 0 to 12 runs. */
    public String next() {
        StringBuilder text = new StringBuilder();
        int runs = random.nextInt(13);
        for (int run = 0; run < runs; run++) {
            switch (random.nextInt(8)) {
                case 0, 1 -> text.append(ODDITIES[random.nextInt(ODDITIES.length)]);
                case 2 -> text.append(' ');
                case 3 -> text.appendCodePoint(anything());
                default -> word(text);
            }
        }
        return text.toString();
    }

    private void word(StringBuilder text) {
        int[] script = SCRIPTS[random.nextInt(SCRIPTS.length)];
        int length = 1 + random.nextInt(6);
        for (int i = 0; i < length; i++) {
            text.appendCodePoint(script[0] + random.nextInt(script[1] - script[0] + 1));
        }
    }

    private int anything() {
        while (true) {
            int point = random.nextInt(Character.MAX_CODE_POINT + 1);
            boolean surrogate = point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
            if (!surrogate && point != '▁') {
                return point;
            }
        }
    }
}
