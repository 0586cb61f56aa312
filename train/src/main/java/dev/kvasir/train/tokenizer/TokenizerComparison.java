package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.Locale;

/**
 * Byte-pair encoding beside sub-word encoding by likelihood: both trained on the same counted words with the same
 * vocabulary size, measured on the same held-out text.
 *
 * @param bpe the one tokenizer
 * @param swe the other
 * @param bpeBits what {@code bpe} makes of the held-out text; see {@link BitsPerByte} for what that favours
 * @param sweBits what {@code swe} makes of it
 */
public record TokenizerComparison(
        TrainedTokenizer bpe, TrainedTokenizer swe, BitsPerByte bpeBits, BitsPerByte sweBits) {
    /** Bits per byte closer than this share count as equal, and the longer tokens win. */
    private static final double EQUAL_SHARE = 0.005;

    /**
     * Trains both on {@code train} and measures them on {@code heldOut}.
     *
     * @param swe options of the SWE tokenizer; the BPE one takes its vocabulary size and special tokens
     * @throws dev.kvasir.InvalidInputException when a text is empty or cannot give the vocabulary asked for
     */
    public static TokenizerComparison run(
            TokenizerOptions swe, WordCounts train, WordCounts heldOut, Progress progress) {
        if (heldOut.size() == 0) {
            throw new InvalidInputException("held-out text: it is empty, a comparison needs some");
        }
        TrainedTokenizer likelihood = TokenizerTraining.train(swe.with(Algorithm.SWE), train, progress);
        TrainedTokenizer pairs = TokenizerTraining.train(swe.with(Algorithm.BPE), train, progress);
        return new TokenizerComparison(
                pairs,
                likelihood,
                BitsPerByte.measure(pairs.model(), train, heldOut),
                BitsPerByte.measure(likelihood.model(), train, heldOut));
    }

    /** The tokenizer to use: the fewer bits per byte, or where these are equal within half a percent the more bytes per token. */
    public TrainedTokenizer better() {
        return sweIsBetter() ? swe : bpe;
    }

    /** One sentence: which is better, by what, and the figures of both. */
    public String reason() {
        String measure = decidedByBits()
                ? "fewer bits per held-out byte"
                : "more bytes per token at bits per byte equal within half a percent";
        return String.format(
                Locale.ROOT,
                "%s is better by %s: BPE %.4f bits/byte and %.3f bytes/token, SWE (%s) %.4f and %.3f",
                sweIsBetter() ? "SWE" : "BPE",
                measure,
                bpeBits.perByte(),
                bpeBits.bytesPerToken(),
                swe.options().search(),
                sweBits.perByte(),
                sweBits.bytesPerToken());
    }

    private boolean decidedByBits() {
        return Math.abs(sweBits.perByte() - bpeBits.perByte()) > EQUAL_SHARE * bpeBits.perByte();
    }

    private boolean sweIsBetter() {
        return decidedByBits()
                ? sweBits.perByte() < bpeBits.perByte()
                : sweBits.bytesPerToken() > bpeBits.bytesPerToken();
    }
}
