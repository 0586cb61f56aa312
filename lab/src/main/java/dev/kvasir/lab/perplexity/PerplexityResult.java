package dev.kvasir.lab.perplexity;

/**
 * What a cache does to a model's predictions on a text.
 *
 * @param nll mean negative log likelihood of the next token, nats per token
 * @param ppl perplexity, {@code exp(nll)}
 * @param kld mean KL divergence of the exact cache's distribution from this cache's, nats
 * @param top1 share of positions where both caches have the same most probable token
 * @param tokens predictions counted
 * @param bitsPerElement at the end of a window, bytes allocated over elements of K and V; the largest of all windows
 * @param cacheBytes bytes allocated at the end of a window; the largest of all windows
 * @param nllStandardError standard error of {@code nll}, positions taken as independent
 * @param kldMedian median of the divergences
 * @param kldP99 their 99th percentile
 * @param kldMax the largest
 * @param windows windows read
 */
public record PerplexityResult(
        String cache,
        double nll,
        double ppl,
        double kld,
        double top1,
        long tokens,
        double bitsPerElement,
        long cacheBytes,
        double nllStandardError,
        double kldMedian,
        double kldP99,
        double kldMax,
        int windows) {}
