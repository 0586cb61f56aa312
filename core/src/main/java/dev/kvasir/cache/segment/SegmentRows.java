package dev.kvasir.cache.segment;

/** The tokens that become a segment, as they are before they are quantized. */
public interface SegmentRows {
    /** Writes the key of a token, counted from 0, of one head. */
    void key(int kvHead, int token, float[] out, int offset);

    /** Writes the value of a token of one head. */
    void value(int kvHead, int token, float[] out, int offset);
}
