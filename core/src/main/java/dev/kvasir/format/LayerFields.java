package dev.kvasir.format;

import dev.kvasir.model.LayerKind;
import dev.kvasir.model.Rotary;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Which layers see a window and which are rotated, by {@code layer_types} or by the rule of the family. */
final class LayerFields {
    private static final String FULL = "full_attention";
    private static final String SLIDING = "sliding_attention";

    private LayerFields() {}

    static List<LayerKind> read(Fields config, Family family, int layers, int context, RotaryFields rotaries) {
        Rotary global = rotaries.global();
        Rotary local = family == Family.GEMMA3 ? rotaries.local() : global;
        int window = window(config, family, context);
        List<LayerKind> kinds = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            boolean turns = family != Family.SMOLLM3 || turns(config, layers, i);
            boolean slides = slides(config, family, layers, i, window, turns);
            if (slides && window == 0) {
                throw config.problem("sliding_window", "is missing, but layer " + i + " has a sliding window");
            }
            Rotary rotary = !turns ? Rotary.none() : slides ? local : global;
            kinds.add(slides ? LayerKind.local(window, rotary) : LayerKind.global(rotary));
        }
        return kinds;
    }

    /** Tokens of a window, 0 if there is none. An explicit null switches off what the family has by default. */
    private static int window(Fields config, Family family, int context) {
        boolean switched = family == Family.QWEN2 || family == Family.QWEN3 || family == Family.SMOLLM3;
        if (switched && !config.flag("use_sliding_window", false)) {
            return 0;
        }
        if (family == Family.LLAMA) {
            int found = config.integer("sliding_window", 1, Integer.MAX_VALUE).orElse(Integer.MAX_VALUE);
            if (found < context) {
                throw config.problem(
                        "sliding_window",
                        "must be absent in a llama, or at least max_position_embeddings " + context + ", found "
                                + found);
            }
            return 0;
        }
        boolean named = config.node().has("sliding_window");
        return config.integer("sliding_window", 1, Integer.MAX_VALUE - 1)
                .orElse(named ? 0 : family.defaults().window());
    }

    private static boolean slides(Fields config, Family family, int layers, int layer, int window, boolean turns) {
        JsonNode types = config.node().get("layer_types");
        if (types != null && !types.isNull()) {
            if (!types.isArray() || types.size() != layers) {
                throw config.problem("layer_types", "must be a list of " + layers + " types");
            }
            String type = types.get(layer).isString()
                    ? types.get(layer).stringValue()
                    : types.get(layer).toString();
            if (!type.equals(FULL) && !type.equals(SLIDING)) {
                throw config.problem("layer_types", "must be " + FULL + " or " + SLIDING + ", found " + type);
            }
            return type.equals(SLIDING);
        }
        if (window == 0 && family != Family.GEMMA2 && family != Family.GEMMA3) {
            return false;
        }
        return switch (family) {
            case LLAMA -> false;
            case MISTRAL, PHI3 -> true;
            case QWEN2, QWEN3 ->
                layer >= config.integer("max_window_layers", 0, 1 << 12).orElse(28);
            case GEMMA2 -> layer % 2 == 0;
            case GEMMA3 ->
                (layer + 1)
                                % config.integer("sliding_window_pattern", 1, 1 << 12)
                                        .orElse(6)
                        != 0;
            case SMOLLM3 -> !turns;
        };
    }

    /** SmolLM3's {@code no_rope_layers} says 1 of a layer that is rotated; without it every fourth is not. */
    private static boolean turns(Fields config, int layers, int layer) {
        JsonNode flags = config.node().get("no_rope_layers");
        if (flags == null || flags.isNull()) {
            int interval = config.integer("no_rope_layer_interval", 1, 1 << 12).orElse(4);
            return (layer + 1) % interval != 0;
        }
        if (!flags.isArray() || flags.size() != layers) {
            throw config.problem("no_rope_layers", "must be a list of " + layers + " numbers");
        }
        return config.toInt("no_rope_layers", flags.get(layer), 0, 1) == 1;
    }
}
