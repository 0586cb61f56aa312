package dev.kvasir.lab.perplexity;

import dev.kvasir.KvasirException;
import dev.kvasir.lab.metric.Logits;
import dev.kvasir.lab.metric.ReferenceDistribution;
import dev.kvasir.lab.metric.Spread;
import dev.kvasir.lab.step.Sequence;
import java.util.Arrays;

/** The counts of one cache while a text is read. */
final class PredictionTally {
    private final String cache;
    private final double[] divergences;
    private int count;
    private long agreements;
    private double nllMean;
    private double nllSquares;
    private double bitsPerElement;
    private long cacheBytes;

    PredictionTally(String cache, int predictions) {
        this.cache = cache;
        this.divergences = new double[predictions];
    }

    /** One prediction: {@code logits} of this cache, the token that really follows, the exact cache's distribution. */
    void add(float[] logits, int next, ReferenceDistribution exact) {
        requireFinite(cache, logits);
        double logSumExp = Logits.logSumExp(logits);
        double nll = logSumExp - logits[next];
        divergences[count++] = exact.klDivergence(logits, logSumExp);
        if (Logits.argMax(logits) == exact.argMax()) {
            agreements++;
        }
        double delta = nll - nllMean;
        nllMean += delta / count;
        nllSquares += delta * (nll - nllMean);
    }

    /** Stops a run whose figures would mean nothing. */
    static void requireFinite(String cache, float[] logits) {
        if (!Logits.areFinite(logits)) {
            throw new KvasirException(
                    "cache " + cache + ": the logits are not finite numbers; the model or the cache overflows");
        }
    }

    void endWindow(Sequence sequence) {
        bitsPerElement = Math.max(bitsPerElement, sequence.bitsPerElement());
        cacheBytes = Math.max(cacheBytes, sequence.footprint().total());
    }

    PerplexityResult result(int windows) {
        double[] sorted = Arrays.copyOf(divergences, count);
        double kld = Arrays.stream(sorted).sum() / count;
        Arrays.sort(sorted);
        double standardError = count > 1 ? Math.sqrt(nllSquares / (count - 1) / count) : 0;
        return new PerplexityResult(
                cache,
                nllMean,
                Math.exp(nllMean),
                kld,
                (double) agreements / count,
                count,
                bitsPerElement,
                cacheBytes,
                standardError,
                Spread.quantile(sorted, 0.5),
                Spread.quantile(sorted, 0.99),
                sorted[count - 1],
                windows);
    }
}
