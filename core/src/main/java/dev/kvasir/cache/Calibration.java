package dev.kvasir.cache;

import dev.kvasir.KvasirException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a method learnt of a model beforehand: codebooks, thresholds, permutations, smoothing factors.
 *
 * @param method whose it is
 * @param options what it was made with, for the reader's information and the method's checks
 * @param fingerprint of the model it was made with
 * @param tensors by name
 */
public record Calibration(String method, Map<String, String> options, String fingerprint, Map<String, Tensor> tensors) {
    /**
     * Numbers in row-major order.
     *
     * @param shape outermost dimension first
     */
    public record Tensor(List<Integer> shape, float[] data) {
        /** Checks that data and shape agree. */
        public Tensor {
            shape = List.copyOf(shape);
            long size = 1;
            for (int dimension : shape) {
                size = Math.multiplyExact(size, (long) dimension);
            }
            if (size != data.length) {
                throw new IllegalArgumentException("tensor " + shape + " of " + data.length + " numbers");
            }
        }

        /** A tensor of that shape. */
        public static Tensor of(float[] data, Integer... shape) {
            return new Tensor(List.of(shape), data);
        }
    }

    /** Keeps copies of the maps, in their order. */
    public Calibration {
        options = Collections.unmodifiableMap(new LinkedHashMap<>(options));
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    }

    /**
     * The numbers of a tensor.
     *
     * @throws CalibrationException if it is missing or of another shape
     */
    public float[] data(String name, Integer... shape) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new CalibrationException(method, "tensor " + name + " is missing");
        }
        if (!tensor.shape().equals(List.of(shape))) {
            throw new CalibrationException(
                    method, "tensor " + name + " has shape " + tensor.shape() + ", expected " + List.of(shape));
        }
        return tensor.data();
    }

    /** A calibration that is missing, of another model or method, or malformed; the message says what to do. */
    public static final class CalibrationException extends KvasirException {
        /** The error in one line. */
        public CalibrationException(String method, String problem) {
            super("calibration of " + method + ": " + problem);
        }
    }
}
