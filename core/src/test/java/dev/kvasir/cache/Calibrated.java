package dev.kvasir.cache;

import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/** Made-up models whose calibrations are learnt from made-up states when they are first asked for. */
public final class Calibrated {
    public static final String FINGERPRINT = "made-up";
    private static final int SEQUENCES = 2;
    private static final int TOKENS = 150;

    private Calibrated() {}

    /** A model of that shape, calibrated for every method under its defaults. */
    public static CacheModel model(CacheShape shape) {
        Map<String, Calibration> made = new ConcurrentHashMap<>();
        return with(
                shape,
                (method, file) -> made.computeIfAbsent(method, name -> calibration(shape, CacheSpec.parse(name))));
    }

    /** A model of that shape with these calibrations. */
    public static CacheModel with(CacheShape shape, Calibrations calibrations) {
        return MadeUpWeights.model(shape, calibrations);
    }

    /** A calibration from made-up states, with squares of Gaussian numbers as sensitivities. */
    public static Calibration calibration(CacheShape shape, CacheSpec spec) {
        Calibrator calibrator = calibrator(shape, spec);
        for (int pass = 0; pass < calibrator.passes(); pass++) {
            calibrator.begin(pass);
            for (int sequence = 0; sequence < SEQUENCES; sequence++) {
                Steps steps = new Steps(shape, 1000 + sequence);
                for (int layer = 0; layer < shape.layers(); layer++) {
                    calibrator.see(
                            layer,
                            steps.states(layer, 0, TOKENS),
                            steps.queries(layer, 0, TOKENS),
                            calibrator.wantsSensitivity(pass)
                                    ? sensitivity(shape, TOKENS, sequence * 31 + layer, 1)
                                    : Calibrator.Sensitivity.NONE);
                }
            }
        }
        return calibrator.finish();
    }

    /** What learns for a spec. */
    public static Calibrator calibrator(CacheShape shape, CacheSpec spec) {
        CacheSettings settings = new CacheSettings(Caches.complete(spec).options());
        return Caches.method(spec.method())
                .calibrator(settings, MadeUpWeights.model(shape, Calibrations.NONE), FINGERPRINT);
    }

    /** Squares of Gaussian numbers, times {@code factor}. */
    public static Calibrator.Sensitivity sensitivity(CacheShape shape, int tokens, long seed, float factor) {
        float[] keys = new float[tokens * shape.kvHeads() * shape.headDim()];
        float[] values = new float[keys.length];
        Random random = new Random(seed);
        for (float[] side : Arrays.asList(keys, values)) {
            for (int i = 0; i < side.length; i++) {
                double gradient = random.nextGaussian();
                side[i] = (float) (gradient * gradient) * factor;
            }
        }
        return new Calibrator.Sensitivity() {
            @Override
            public float[] keys() {
                return keys;
            }

            @Override
            public float[] values() {
                return values;
            }
        };
    }
}
