package dev.kvasir.train.tokenizer;

import java.util.List;

/** A trained vocabulary with its rule for cutting a word into pieces. */
public sealed interface SubwordModel permits BpeModel, UnigramModel {
    /** The pieces over {@link ByteAlphabet}, in order of id; all 256 single bytes are among them. */
    List<String> pieces();

    /** The ids of the pieces that {@code word}, over {@link ByteAlphabet}, is cut into. */
    int[] segment(String word);
}
