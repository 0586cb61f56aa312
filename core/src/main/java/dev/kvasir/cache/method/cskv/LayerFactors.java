package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The factors of a layer's two projections, which all sequences share. */
record LayerFactors(Factors keys, Factors values) {
    /** The name of a layer's factors in a calibration. */
    static String name(int layer, boolean keys, String variant) {
        return "layer." + layer + (keys ? ".k." : ".v.") + variant;
    }

    /**
     * Those that the plan asks for.
     *
     * @throws Calibration.CalibrationException if the calibration was made for other ranks or blocks
     */
    static List<LayerFactors> of(CskvPlan plan, Calibration calibration) {
        checkBlock(plan, calibration);
        CacheShape shape = plan.shape();
        List<LayerFactors> layers = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            layers.add(new LayerFactors(
                    factors(plan, calibration, layer, plan.keys(), true),
                    factors(plan, calibration, layer, plan.values(), false)));
        }
        return layers;
    }

    private static Factors factors(
            CskvPlan plan, Calibration calibration, int layer, CskvPlan.Side side, boolean keys) {
        String name = name(layer, keys, side.variant());
        Calibration.Tensor found = calibration.tensors().get(name + ".a");
        int inputs = plan.shape().hiddenSize();
        if (found != null && !found.shape().equals(List.of(inputs, side.rank()))) {
            String option = keys ? "k_density" : "v_density";
            throw new Calibration.CalibrationException(
                    CskvPlan.NAME,
                    "it was made with " + option + "=" + calibration.options().getOrDefault(option, "?") + ", factors "
                            + found.shape() + ", wanted are " + List.of(inputs, side.rank())
                            + ": make one with kvasir calibrate 'cskv(" + option + "=...)'");
        }
        return Factors.read(calibration, name, inputs, side.rank(), plan.width());
    }

    private static void checkBlock(CskvPlan plan, Calibration calibration) {
        boolean trained = plan.keys().trainedFor() < CskvPlan.EXACT_BITS;
        String made = calibration.options().getOrDefault("block", "?");
        if (trained && !made.equals(Integer.toString(plan.block()))) {
            throw new Calibration.CalibrationException(
                    CskvPlan.NAME,
                    "its 4-bit keys were trained with block=" + made + ", wanted is block=" + plan.block()
                            + ": make one with kvasir calibrate 'cskv(block=" + plan.block() + ")'");
        }
    }

    /** Tells factors apart. */
    int fingerprint() {
        int hash = Arrays.hashCode(keys.a());
        hash = 31 * hash + Arrays.hashCode(keys.b());
        hash = 31 * hash + Arrays.hashCode(values.a());
        return 31 * hash + Arrays.hashCode(values.b());
    }
}
