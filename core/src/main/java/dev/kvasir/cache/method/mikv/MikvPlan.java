package dev.kvasir.cache.method.mikv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.importance.Tiers;
import dev.kvasir.cache.importance.TokenTier;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.TokenNumbers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What MiKV's options mean for a shape: how many tokens are important, what each tier is stored in, and the bytes. */
final class MikvPlan {
    private static final int PAGE_TOKENS = 128;
    private static final int EXACT_PAGE_TOKENS = 64;
    /** Shares are counted in millionths, so that a share of a whole number is exact. */
    private static final long MILLION = 1_000_000;

    private final CacheShape shape;
    private final long ratio;
    private final long recent;
    private final int least;
    private final boolean shareOfLength;
    private final int highBits;
    private final int lowBits;
    private final boolean balancer;
    private final int group;

    MikvPlan(CacheSettings settings, CacheShape shape) {
        this.shape = shape;
        ratio = share(settings, "ratio");
        recent = share(settings, "recent");
        least = settings.number("least");
        shareOfLength = settings.text("rule").equals("share");
        highBits = settings.number("importance_bits");
        lowBits = settings.number("bits");
        balancer = settings.flag("balancer");
        int headDim = shape.headDim();
        String text = settings.text("group");
        group = text.equals("half") ? headDim / 2 : Integer.parseInt(text);
        if (!packs(group)) {
            List<String> allowed = new ArrayList<>();
            for (int g = 1; g <= headDim; g++) {
                if (packs(g)) {
                    allowed.add(Integer.toString(g));
                }
            }
            throw new InvalidInputException(
                    "mikv: group=" + text + (text.equals("half") ? ", which is " + group + "," : "")
                            + " cannot be packed for heads of " + headDim + " channels at bits=" + lowBits
                            + " and importance_bits=" + highBits + "; allowed: "
                            + (allowed.isEmpty() ? "none" : String.join(", ", allowed)));
        }
    }

    private static long share(CacheSettings settings, String option) {
        long share = Math.round(settings.decimal(option) * MILLION);
        if (share > MILLION) {
            throw new InvalidInputException(
                    "mikv: " + option + "=" + settings.text(option) + " is more than all, allowed: 0 to 1");
        }
        return share;
    }

    private boolean packs(int numbers) {
        try {
            for (int bits : new int[] {lowBits, highBits}) {
                if (bits > 0 && bits < 16) {
                    keyLayout(bits, numbers);
                    valueLayout(bits, numbers);
                }
            }
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private PackedLayout keyLayout(int bits, int numbers) {
        return new PackedLayout(PAGE_TOKENS, shape.headDim(), bits, numbers, Axis.PER_LANE, Quantizer.MIN_MAX);
    }

    private PackedLayout valueLayout(int bits, int numbers) {
        return new PackedLayout(shape.headDim(), PAGE_TOKENS, bits, numbers, Axis.PER_DEPTH, Quantizer.MIN_MAX);
    }

    CacheShape shape() {
        return shape;
    }

    /** Whether tokens that are not important are dropped. */
    boolean drops() {
        return lowBits == 0;
    }

    /** Whether any key is stored balanced. */
    boolean balances() {
        return balancer && (lowBits > 0 || highBits < 16);
    }

    /** Whether the number of important tokens follows from that of all tokens. */
    boolean sharesLength() {
        return shareOfLength;
    }

    /** Whether all tokens are important for ever. */
    boolean keepsAll() {
        return shareOfLength && ratio == MILLION;
    }

    /** Whether no token is ever important. */
    boolean keepsNone() {
        return ratio == 0 && least == 0;
    }

    /** Whether what is stored of the important tokens depends on b. */
    boolean importantAreBalanced() {
        return balancer && highBits < 16;
    }

    /**
     * Important tokens of a head.
     *
     * @param tokens seen
     * @param prompt tokens seen when the latest step of several tokens ended
     */
    int highSize(int tokens, int prompt) {
        long share = ratio * (shareOfLength ? tokens : prompt) / MILLION;
        return (int) Math.min(tokens, Math.max(least, share));
    }

    /** Of those, the newest tokens, which are important whatever their score. */
    int recentSize(int highSize) {
        return (int) (recent * highSize / MILLION);
    }

    /** The empty tiers of a head. */
    Tiers tiers(int kvHead, Balancer balancing, PagePool pool, Kernels kernels) {
        Optional<TokenTier> low =
                drops() ? Optional.empty() : Optional.of(packed(lowBits, kvHead, balancing, pool, kernels));
        TokenTier high = highBits == 16 ? exact(pool, kernels) : packed(highBits, kvHead, balancing, pool, kernels);
        return new Tiers(shape.headDim(), high, low, new TokenNumbers(pool));
    }

    private TokenTier exact(PagePool pool, Kernels kernels) {
        int d = shape.headDim();
        return new TokenTier(
                new ExactKeys(pool, kernels, Element.F16, d, EXACT_PAGE_TOKENS, false),
                new ExactValues(pool, kernels, Element.F16, d, EXACT_PAGE_TOKENS, 0),
                new TokenNumbers(pool));
    }

    private TokenTier packed(int bits, int kvHead, Balancer balancing, PagePool pool, Kernels kernels) {
        PackedKeys plain = new PackedKeys(pool, kernels, keyLayout(bits, group));
        RowKeys keys = balancer ? new BalancedKeys(plain, balancing, kvHead, shape.headDim()) : plain;
        PackedValues values = new PackedValues(pool, kernels, valueLayout(bits, group));
        return new TokenTier(keys, values, new TokenNumbers(pool));
    }

    /** Bytes after a prompt of {@code tokens} tokens, or, where the share is of the length, any steps of as many. */
    Footprint estimate(int tokens) {
        int high = highSize(tokens, tokens);
        int low = drops() ? 0 : tokens - high;
        Footprint head = tier(lowBits, low)
                .plus(tier(highBits, high))
                .plus(new Footprint(0, 0, 0, TokenNumbers.bytes(low) + 2 * TokenNumbers.bytes(high), 0));
        int heads = shape.layers() * shape.kvHeads();
        long factors = balances() && tokens > 0 ? shape.layers() * Balancer.bytes(shape) : 0;
        return new Footprint(heads * head.codes(), heads * head.scales(), 0, heads * head.indices(), factors);
    }

    private Footprint tier(int bits, int tokens) {
        int d = shape.headDim();
        if (bits == 0) {
            return Footprint.ZERO;
        }
        if (bits == 16) {
            long keys = ExactKeys.bytes(Element.F16, d, EXACT_PAGE_TOKENS, tokens);
            return new Footprint(keys + ExactValues.bytes(Element.F16, d, EXACT_PAGE_TOKENS, 0, tokens), 0, 0, 0, 0);
        }
        long pages = Math.ceilDiv(tokens, PAGE_TOKENS);
        PackedLayout keys = keyLayout(bits, group);
        PackedLayout values = valueLayout(bits, group);
        return new Footprint(
                pages * (keys.codeBytes() + values.codeBytes()),
                pages * (keys.scaleBytes() + values.scaleBytes()),
                0,
                0,
                0);
    }
}
