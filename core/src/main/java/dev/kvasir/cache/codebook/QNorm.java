package dev.kvasir.cache.codebook;

/**
 * What brings mean and deviation of quantized numbers back to those of the originals: {@code level * scale + shift} is
 * decoded where {@code level} was chosen. The square error may rise; two-bit perplexity falls.
 *
 * <p>Source: KVQuant, arXiv 2401.18079, section 3.6.
 *
 * @param scale deviation before over deviation after, 1 if nothing varies
 * @param shift mean before minus scaled mean after
 */
public record QNorm(double scale, double shift) {
    /** No change. */
    public static final QNorm NONE = new QNorm(1, 0);

    /** The levels to decode with. */
    public Codebook apply(Codebook codebook) {
        return codebook.scaled(scale, shift);
    }

    /** Gathers the moments of numbers before and after a codebook. */
    public static final class Fit {
        private final Codebook codebook;
        private long count;
        private double mean;
        private double squares;
        private double roundedMean;
        private double roundedSquares;

        /** Nothing gathered yet. */
        public Fit(Codebook codebook) {
            this.codebook = codebook;
        }

        /** Takes in a number, by Welford's update. */
        public void add(float x) {
            count++;
            double off = x - mean;
            mean += off / count;
            squares += off * (x - mean);
            float rounded = codebook.round(x);
            double roundedOff = rounded - roundedMean;
            roundedMean += roundedOff / count;
            roundedSquares += roundedOff * (rounded - roundedMean);
        }

        /** The correction for all that was taken in; none if there was nothing. */
        public QNorm norm() {
            if (count == 0) {
                return NONE;
            }
            double scale = squares > 0 && roundedSquares > 0 ? Math.sqrt(squares / roundedSquares) : 1;
            return new QNorm(scale, mean - roundedMean * scale);
        }
    }
}
