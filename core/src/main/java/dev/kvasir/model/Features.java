package dev.kvasir.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;

/** What a model has beyond a plain Llama, in words for people. */
public final class Features {
    private Features() {}

    /** One phrase for each, empty for a plain Llama. */
    public static List<String> of(Model model) {
        List<String> features = new ArrayList<>();
        ModelConfig config = model.config();
        windows(config, features);
        rotary(config, features);
        Weights.Extras extras = model.weights().layers().getFirst().extras();
        if (extras.keyBias().length > 0) {
            features.add("biases of queries, keys and values");
        }
        if (extras.keyNorm().length > 0) {
            features.add("normed heads");
        }
        if (extras.attentionPostNorm().length > 0) {
            features.add("norms after attention and MLP");
        }
        Arithmetic arithmetic = config.arithmetic();
        if (arithmetic.activation() == Activation.GELU_TANH) {
            features.add("GeGLU");
        }
        if (arithmetic.scoreCap() > 0) {
            features.add("scores capped at " + arithmetic.scoreCap());
        }
        if (arithmetic.logitCap() > 0) {
            features.add("logits capped at " + arithmetic.logitCap());
        }
        return List.copyOf(features);
    }

    private static void windows(ModelConfig config, List<String> features) {
        long local = config.kinds().stream()
                .filter(kind -> kind.window().isPresent())
                .count();
        OptionalInt window = config.kinds().stream()
                .flatMapToInt(kind -> kind.window().stream())
                .max();
        if (window.isPresent()) {
            features.add(
                    "window of " + window.getAsInt() + " tokens in " + local + " of " + config.layers() + " layers");
        }
    }

    private static void rotary(ModelConfig config, List<String> features) {
        List<Rotary> rotaries =
                config.kinds().stream().map(LayerKind::rotary).distinct().toList();
        for (Rotary rotary : rotaries) {
            if (rotary.dims() == 0) {
                features.add("layers without positions");
                continue;
            }
            if (!(rotary.scaling() instanceof RopeScaling.None)) {
                features.add("RoPE scaling " + rotary.scaling().type());
            }
            if (rotary.dims() < config.headDim()) {
                features.add(String.format(Locale.ROOT, "%d of %d channels rotated", rotary.dims(), config.headDim()));
            }
        }
        if (rotaries.stream()
                        .filter(rotary -> rotary.dims() > 0)
                        .map(Rotary::theta)
                        .distinct()
                        .count()
                > 1) {
            features.add("two RoPE bases");
        }
    }
}
