package dev.kvasir.train.tokenizer;

/** How {@link Algorithm#SWE} looks for its vocabulary; choosing one optimally is NP-hard. */
public enum Search {
    /** From bytes up: the merge of highest exact likelihood gain, until none gains or the vocabulary is full. */
    GREEDY,
    /** From a large seed down: expectation maximisation, dropping the pieces whose loss is smallest. */
    EM,
    /** Branch and bound, for tables of a few short words; the only search whose vocabulary is proven optimal. */
    EXACT
}
