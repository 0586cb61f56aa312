package dev.kvasir.train.tokenizer;

/** How a vocabulary is learnt. */
public enum Algorithm {
    /** Byte-pair encoding: merge the most frequent pair. */
    BPE
}
