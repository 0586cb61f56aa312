package dev.kvasir.train.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Seeded text for the tests of this package. */
final class Texts {
    /** First and last code point of ranges whose classes have long been settled in Unicode. */
    private static final int[][] SETTLED = {
        {' ', '~'},
        {' ', ' '},
        {'0', '9'},
        {'a', 'z'},
        {0x9, 0xd},
        {0x85, 0x85},
        {0xa0, 0xff},
        {0x391, 0x3a1},
        {0x3b1, 0x3c9},
        {0x410, 0x44f},
        {0x5d0, 0x5ea},
        {0x627, 0x64a},
        {0x660, 0x669},
        {0x905, 0x939},
        {0x93e, 0x94d},
        {0x300, 0x30f},
        {0x2003, 0x2003},
        {0x2019, 0x2019},
        {0x200d, 0x200d},
        {0x2028, 0x2029},
        {0x2153, 0x2156},
        {0x3000, 0x3002},
        {0x3041, 0x3093},
        {0x4e00, 0x4eff},
        {0xac00, 0xacff},
        {0xfe0f, 0xfe0f},
        {0x1f600, 0x1f64f}
    };

    private Texts() {}

    /** Any text: {@code length} code points of all planes, surrogates left out. */
    static String anything(SplittableRandom random, int length) {
        StringBuilder text = new StringBuilder();
        while (length > 0) {
            int most = random.nextBoolean() ? 0x2ff : Character.MAX_CODE_POINT;
            int codePoint = random.nextInt(most + 1);
            if (codePoint < Character.MIN_SURROGATE || codePoint > Character.MAX_SURROGATE) {
                text.appendCodePoint(codePoint);
                length--;
            }
        }
        return text.toString();
    }

    /** Text of many scripts and kinds of white space, {@code length} code points. */
    static String manyScripts(SplittableRandom random, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            int[] range = SETTLED[random.nextInt(SETTLED.length)];
            text.appendCodePoint(random.nextInt(range[0], range[1] + 1));
        }
        return text.toString();
    }

    /** English-looking lines: words of common stems and endings, numbers, quotes, a few accents. */
    static List<String> prose(SplittableRandom random, int lines) {
        String[] stems = {
            "walk", "talk", "listen", "count", "garden", "house", "river", "mountain", "caf\u00e9", "under", "light"
        };
        String[] endings = {"", "", "s", "ed", "ing", "er", "ers", "ly", "\u2019s", "n't"};
        String[] marks = {" ", " ", " ", ", ", ". ", "; ", " \u201c", "\u201d ", " - ", "  ", "\n"};
        List<String> texts = new ArrayList<>();
        for (int line = 0; line < lines; line++) {
            StringBuilder text = new StringBuilder();
            for (int word = 0; word < 12; word++) {
                if (random.nextInt(8) == 0) {
                    text.append(random.nextInt(2000));
                } else {
                    text.append(stems[skewed(random, stems.length)]).append(endings[random.nextInt(endings.length)]);
                }
                text.append(marks[random.nextInt(marks.length)]);
            }
            texts.add(text.append("\n\n").toString());
        }
        return texts;
    }

    /** A word of 1 to {@code most} letters of the first {@code letters} of the alphabet. */
    static String word(SplittableRandom random, int most, int letters) {
        StringBuilder word = new StringBuilder();
        for (int length = random.nextInt(1, most + 1); length > 0; length--) {
            word.append((char) ('a' + random.nextInt(letters)));
        }
        return word.toString();
    }

    /** A table of about {@code words} different words as {@link #word}, each counted 1 to 20 times. */
    static WordCounts table(SplittableRandom random, int words, int most, int letters) {
        List<String> texts = new ArrayList<>();
        for (int w = 0; w < words; w++) {
            String word = word(random, most, letters);
            for (int count = random.nextInt(1, 21); count > 0; count--) {
                texts.add(word);
            }
        }
        return WordCounts.of(texts.iterator(), List.of());
    }

    /** Every way to cut {@code word} into pieces. */
    static List<List<String>> cuts(String word) {
        if (word.isEmpty()) {
            return List.of(List.of());
        }
        List<List<String>> cuts = new ArrayList<>();
        for (int end = 1; end <= word.length(); end++) {
            for (List<String> rest : cuts(word.substring(end))) {
                List<String> cut = new ArrayList<>(List.of(word.substring(0, end)));
                cut.addAll(rest);
                cuts.add(cut);
            }
        }
        return cuts;
    }

    private static int skewed(SplittableRandom random, int bound) {
        return random.nextInt(random.nextInt(bound) + 1);
    }
}
