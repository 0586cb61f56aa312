package dev.kvasir.format;

import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.RopeScaling.LongRope;
import dev.kvasir.model.RopeScaling.Yarn;
import dev.kvasir.model.Rotary;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/**
 * The rotary embedding in {@code config.json}: {@code rope_theta} and {@code rope_scaling}, or {@code rope_parameters} as newer
 * folders call both; read as Hugging Face's {@code modeling_rope_utils.py} reads them.
 */
final class RotaryFields {
    private static final int MAX_CONTEXT = 1 << 30;
    private static final String ORIGINAL = "original_max_position_embeddings";

    private final Fields config;
    private final Family family;
    private final int headDim;
    private final int context;

    RotaryFields(Fields config, Family family, int headDim, int context) {
        this.config = config;
        this.family = family;
        this.headDim = headDim;
        this.context = context;
        if (config.has("rope_scaling") && config.has("rope_parameters")) {
            throw config.problem("rope_scaling", "and rope_parameters are both given, only one may be");
        }
    }

    /** The rotary embedding of layers that see all tokens. */
    Rotary global() {
        Optional<Fields> fields = config.object("rope_scaling").or(() -> parameters("full_attention"));
        return read(fields, family.defaults().theta());
    }

    /** That of Gemma 3's layers with a window: a base of its own, unstretched. */
    Rotary local() {
        Optional<Fields> own = parameters("sliding_attention");
        if (own.isPresent() && config.object("rope_parameters").orElseThrow().has("sliding_attention")) {
            return read(own, 10_000);
        }
        double theta = config.positive("rope_local_base_freq", 1e30).orElse(10_000);
        return new Rotary((float) theta, headDim, RopeScaling.none(), Rotary.Layout.HALVES);
    }

    /** {@code rope_parameters}, or those of a type of layers where each has its own. */
    private Optional<Fields> parameters(String layers) {
        Optional<Fields> all = config.object("rope_parameters");
        return all.flatMap(fields -> fields.object(layers)).or(() -> all);
    }

    private Rotary read(Optional<Fields> fields, double defaultTheta) {
        var inner = fields.map(p -> p.positive("rope_theta", 1e30));
        var outer = config.positive("rope_theta", 1e30);
        double theta = (inner.isPresent() && inner.get().isPresent() ? inner.get() : outer).orElse(defaultTheta);
        int dims = turning(fields);
        RopeScaling scaling = fields.map(rope -> scaling(rope, dims)).orElse(RopeScaling.none());
        return new Rotary((float) theta, dims, scaling, Rotary.Layout.HALVES);
    }

    private int turning(Optional<Fields> fields) {
        double share = share(config, fields.map(this::share).orElse(1.0));
        int dims = (int) (headDim * share);
        if (dims < 2 || dims % 2 != 0) {
            throw config.problem(
                    "partial_rotary_factor", "must leave an even number of channels of " + headDim + ", found " + dims);
        }
        return dims;
    }

    private double share(Fields fields) {
        return share(fields, 1);
    }

    private double share(Fields fields, double otherwise) {
        double share = fields.positive("partial_rotary_factor", 1).orElse(otherwise);
        if (share != 1 && family != Family.PHI3) {
            throw fields.problem(
                    "partial_rotary_factor", "must be 1: rotating a part of a head is not part of " + family.type());
        }
        return share;
    }

    private RopeScaling scaling(Fields rope, int dims) {
        String key = rope.has("rope_type") || !rope.has("type") ? "rope_type" : "type";
        String type = rope.text(key).orElse("default");
        // Early Phi-3 folders say su, or yarn, of what is longrope.
        if (family == Family.PHI3 && rope.has("long_factor") && (type.equals("su") || type.equals("yarn"))) {
            return longRope(rope, dims);
        }
        return switch (type) {
            case "default" -> RopeScaling.none();
            case "linear" -> new RopeScaling.Linear((float) rope.requiredPositive("factor", 1e6));
            case "llama3" -> llama3(rope);
            case "yarn" -> yarn(rope);
            case "longrope" -> longRope(rope, dims);
            default ->
                throw rope.problem(key, "must be default, linear, llama3, yarn or longrope, found \"" + type + "\"");
        };
    }

    private static RopeScaling llama3(Fields rope) {
        double low = rope.requiredPositive("low_freq_factor", 1e6);
        double high = rope.requiredPositive("high_freq_factor", 1e6);
        if (!((float) low < (float) high)) {
            throw rope.problem("low_freq_factor", "must be below high_freq_factor " + high + ", found " + low);
        }
        return new RopeScaling.Llama3(
                (float) rope.requiredPositive("factor", 1e6),
                (float) low,
                (float) high,
                rope.requiredInteger(ORIGINAL, 1, MAX_CONTEXT));
    }

    private RopeScaling yarn(Fields rope) {
        OptionalInt named = rope.integer(ORIGINAL, 1, MAX_CONTEXT);
        int original = named.orElse(context);
        var given = rope.positive("factor", 1e6);
        double factor = given.isPresent() || named.isEmpty()
                ? rope.requiredPositive("factor", 1e6)
                : (double) context / original;
        double attention = rope.positive("attention_factor", 1e6).orElseGet(() -> {
            var scale = rope.positive("mscale", 1e6);
            var all = rope.positive("mscale_all_dim", 1e6);
            return scale.isPresent() && all.isPresent()
                    ? Yarn.defaultAttention(factor, scale.getAsDouble())
                            / Yarn.defaultAttention(factor, all.getAsDouble())
                    : Yarn.defaultAttention(factor, 1);
        });
        return new Yarn(
                (float) factor,
                (float) rope.positive("beta_fast", 1e6).orElse(32),
                (float) rope.positive("beta_slow", 1e6).orElse(1),
                original,
                (float) attention,
                rope.flag("truncate", true));
    }

    private RopeScaling longRope(Fields rope, int dims) {
        OptionalInt outer = config.integer(ORIGINAL, 2, MAX_CONTEXT);
        int original = (outer.isPresent() ? outer : rope.integer(ORIGINAL, 2, MAX_CONTEXT))
                .orElse(family == Family.PHI3 ? 4096 : context);
        double factor = outer.isPresent() || family == Family.PHI3
                ? (double) context / original
                : rope.positive("factor", 1e6).orElse((double) context / original);
        return new LongRope(
                factors(rope, "short_factor", dims / 2), factors(rope, "long_factor", dims / 2), original, (float)
                        rope.positive("attention_factor", 1e6).orElse(LongRope.defaultAttention(factor, original)));
    }

    private static List<Float> factors(Fields rope, String name, int count) {
        JsonNode values = rope.node().get(name);
        if (values == null || !values.isArray() || values.size() != count) {
            throw rope.problem(name, "must be a list of " + count + " numbers, one for each pair that turns");
        }
        List<Float> factors = new ArrayList<>();
        for (JsonNode value : values) {
            float factor = value.isNumber() ? (float) value.doubleValue() : 0;
            if (!(factor > 0) || Float.isInfinite(factor)) {
                throw rope.problem(name, "must hold numbers above 0, found " + JsonFile.describe(value));
            }
            factors.add(factor);
        }
        return factors;
    }
}
