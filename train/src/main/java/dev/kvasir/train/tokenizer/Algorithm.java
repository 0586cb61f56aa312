package dev.kvasir.train.tokenizer;

/** How a vocabulary is learnt. */
public enum Algorithm {
    /** Byte-pair encoding: merge the most frequent pair. */
    BPE,
    /** Sub-word encoding by likelihood: the pieces under which the text is most likely. */
    SWE
}
