package dev.kvasir.train.tokenizer;

import java.util.Arrays;

/**
 * What a tokenizer makes of held-out text: its code length under the tokenizer's own unigram model, in bits per byte.
 *
 * <p>Bits per token of two tokenizers cannot be compared, their tokens differ; bits per byte of the same text can. The
 * unigram code is the one both have without a language model. It is what {@link Algorithm#SWE} optimises on its training
 * text, so it favours SWE by design: a language model, which also sees the tokens before, may rank them otherwise, and
 * bytes per token, which sets the length of its sequences, is given beside it.
 *
 * <p>Both tokenizers get the same estimator: p(t) = (c(t) + a) / (N + aV) over the model's V pieces, counted on the
 * training text, with the a of highest leave-one-out likelihood there (Ney, Essen, Kneser, "On the Estimation of 'Small'
 * Probabilities by Leaving-One-Out", IEEE PAMI 17(12), 1995).
 *
 * @param bytes bytes of the held-out text
 * @param tokens tokens it is cut into
 * @param bits its code length
 * @param smoothing the a chosen
 */
public record BitsPerByte(long bytes, long tokens, double bits, double smoothing) {
    private static final double[] SMOOTHINGS = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10};

    /** Counts {@code model}'s pieces on {@code train} and codes {@code heldOut} with them. */
    public static BitsPerByte measure(SubwordModel model, WordCounts train, WordCounts heldOut) {
        double[] seen = PieceCounts.of(model, train);
        double[] met = PieceCounts.of(model, heldOut);
        double total = Arrays.stream(seen).sum();
        double smoothing = smoothing(seen, total);
        double logTotal = Math.log(total + smoothing * seen.length);
        double nats = 0;
        long tokens = 0;
        for (int piece = 0; piece < seen.length; piece++) {
            nats += met[piece] * (logTotal - Math.log(seen[piece] + smoothing));
            tokens += (long) met[piece];
        }
        return new BitsPerByte(heldOut.bytes(), tokens, nats / Math.log(2), smoothing);
    }

    /** Code length of a byte, in bits. */
    public double perByte() {
        return bits / bytes;
    }

    /** Bytes of held-out text per token. */
    public double bytesPerToken() {
        return (double) bytes / tokens;
    }

    private static double smoothing(double[] seen, double total) {
        double best = SMOOTHINGS[0];
        double highest = Double.NEGATIVE_INFINITY;
        for (double smoothing : SMOOTHINGS) {
            double logOthers = Math.log(total - 1 + smoothing * seen.length);
            double likelihood = 0;
            for (double count : seen) {
                likelihood += count > 0 ? count * (Math.log(count - 1 + smoothing) - logOthers) : 0;
            }
            if (likelihood > highest) {
                highest = likelihood;
                best = smoothing;
            }
        }
        return best;
    }
}
