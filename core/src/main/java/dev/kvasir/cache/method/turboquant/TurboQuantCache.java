package dev.kvasir.cache.method.turboquant;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.HeadFactory;
import java.util.List;
import java.util.Optional;

/**
 * TurboQuant: a vector is rotated at random, after which every coordinate has the same known density, and each is quantized by
 * the Lloyd-Max codebook of that density; only the vector's length is stored beside the codes. Nothing is calibrated (Zandieh
 * et al., arXiv 2504.19874).
 *
 * <p>{@code keys=prod} is the paper's inner-product quantizer (algorithm 2): one bit less for the codes, and one bit for the
 * signs of a random projection of what they missed (QJL), which makes scores unbiased at the price of variance. {@code
 * keys=mse} (algorithm 1) spends all bits on codes. Values are always algorithm 1: sums of values want small errors, not
 * unbiased products. {@code outliers} channels of largest magnitude in the first tokens, chosen for each head, get one bit
 * more and a rotation of their own (section 4.3); the others one rotation of theirs.
 *
 * <p>{@code projection=orthogonal} replaces the Gaussian projection by a rotation, which keeps the estimate unbiased with less
 * variance. Rolls back any number of tokens.
 */
public final class TurboQuantCache implements CacheMethod {
    @Override
    public String name() {
        return "turboquant";
    }

    @Override
    public String summary() {
        return "random rotation and Lloyd-Max codes, a sign sketch for keys";
    }

    @Override
    public String source() {
        return "Zandieh et al., TurboQuant, ICLR 2026, arXiv 2504.19874";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "After a random rotation every coordinate of a vector has the same known density, whatever the vector: the"
                        + " best codebook for it is known beforehand, nothing is calibrated and no group needs a scale."
                        + " One bit of a key can go to a sign sketch of the residual, which makes scores unbiased.",
                "keys k_bits + 16/headDim (+ 16/headDim with the sketch), values v_bits + 16/headDim; outliers add"
                        + " outliers/headDim",
                List.of(
                        "mean squared error of a unit vector: 0.36, 0.117, 0.03, 0.009 at 1, 2, 3, 4 bits",
                        "Llama-3.1-8B-Instruct, LongBench mean: quality-neutral at 3.5 bits, marginal loss at 2.5"),
                List.of(
                        "kvasir-tiny, 2,048 tokens, 3 bits: KL divergence 0.135 with keys=prod, 0.0348 with an orthogonal projection, 0.0272 with keys=mse; on heads of 64 channels the sketch's variance costs more than its lack of bias gains",
                        "the same, 2 bits: 0.582 with keys=prod, 0.370 with keys=mse, 0.0940 with keys=mse and 16 outlier channels (2.88 bits per element)"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "bits", "3", "bits a channel, unless k_bits or v_bits says otherwise", "1", "2", "3", "4"),
                CacheOption.choice(
                        "k_bits", "@bits", "bits a channel of keys, the sketch included", "1", "2", "3", "4", "5"),
                CacheOption.choice("v_bits", "@bits", "bits a channel of values", "1", "2", "3", "4"),
                CacheOption.choice("keys", "prod", "prod with the sketch, mse without", "prod", "mse"),
                CacheOption.number("outliers", 0, "channels of a head that get one bit more", "multiples of 16"),
                CacheOption.choice("rotation", "dense", "how vectors are rotated", "dense", "hadamard"),
                CacheOption.choice("projection", "gaussian", "how residuals are sketched", "gaussian", "orthogonal"),
                CacheOption.number("seed", 0, "of rotation and projection", "any"));
    }

    @Override
    public String positional() {
        return "bits";
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new TurboHeads(settings, model.shape().headDim()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new TurboHeads(settings, shape.headDim()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
