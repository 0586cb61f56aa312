package dev.kvasir.convert;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.util.LinkedHashMap;
import java.util.Map;

/** Learns the root mean square of each key channel after RoPE. */
public final class KeyPower implements Calibrator {
    private final CacheShape shape;
    private final String fingerprint;
    /** {@code [layers][kvHeads * headDim]}. */
    private final double[][] squares;

    private final long[] tokens;

    /** Knows nothing yet. */
    public KeyPower(CacheShape shape, String fingerprint) {
        this.shape = shape;
        this.fingerprint = fingerprint;
        this.squares = new double[shape.layers()][shape.kvHeads() * shape.headDim()];
        this.tokens = new long[shape.layers()];
    }

    static String tensor(int layer) {
        return "layers." + layer + ".key_rms";
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        double[] sums = squares[layer];
        float[] keys = states.keys();
        for (int t = 0; t < states.count(); t++) {
            for (int c = 0; c < sums.length; c++) {
                double key = keys[t * sums.length + c];
                sums[c] += key * key;
            }
        }
        tokens[layer] += states.count();
    }

    @Override
    public Calibration finish() {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < squares.length; layer++) {
            float[] rms = new float[squares[layer].length];
            for (int c = 0; c < rms.length; c++) {
                rms[c] = (float) Math.sqrt(squares[layer][c] / Math.max(1, tokens[layer]));
            }
            tensors.put(tensor(layer), Calibration.Tensor.of(rms, shape.kvHeads(), shape.headDim()));
        }
        return new Calibration("bfp", Map.of(), fingerprint, tensors);
    }
}
