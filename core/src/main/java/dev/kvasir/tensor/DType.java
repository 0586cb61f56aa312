package dev.kvasir.tensor;

/**
 * The types a weight matrix may have: plain numbers, and the block types of ggml, whose numbers share scales.
 *
 * <p>A block is a run of consecutive elements of one row with everything needed to read them; its bytes are drawn in
 * {@link Q8Blocks}, {@link NibbleBlocks}, {@link FiveBitBlocks} and {@link SuperBlocks}. Plain numbers are blocks of one.
 */
public enum DType {
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    Q8_0(32, 34),
    Q4_0(32, 18),
    Q4_1(32, 20),
    Q5_0(32, 22),
    Q5_1(32, 24),
    Q2_K(256, 84),
    Q3_K(256, 110),
    Q4_K(256, 144),
    Q5_K(256, 176),
    Q6_K(256, 210),
    IQ4_NL(32, 18);

    private final int blockElements;
    private final int blockBytes;

    DType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    /** Elements of a block; rows are whole blocks. */
    public int blockElements() {
        return blockElements;
    }

    /** Bytes of a block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Whether elements share scales, so that none can be read without its block. */
    public boolean isPacked() {
        return blockElements > 1;
    }

    /** Bytes of {@code columns} elements. @throws IllegalArgumentException if they are not whole blocks */
    public long bytes(long columns) {
        if (columns % blockElements != 0) {
            throw new IllegalArgumentException(
                    "rows of " + this + " are whole blocks of " + blockElements + " columns, found " + columns);
        }
        return columns / blockElements * blockBytes;
    }
}
