package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The retaining heads of all layers as a calibration: tensors {@code layer.L.w1} and {@code layer.L.w2}. */
public final class RetainingHeads {
    /** The method that the calibration is of. */
    public static final String METHOD = "locret";

    private RetainingHeads() {}

    /**
     * The heads of a calibration, one a layer.
     *
     * @throws CalibrationException if tensors are missing or not of this shape
     */
    public static List<RetainingHead> read(Calibration calibration, CacheShape shape) {
        int inputs = RetainingHead.inputs(shape);
        List<RetainingHead> heads = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            Calibration.Tensor first = calibration.tensors().get(name(layer, 1));
            if (first == null || first.shape().size() != 2 || first.shape().getLast() < 1) {
                throw new CalibrationException(
                        METHOD,
                        "tensor " + name(layer, 1) + " must be [" + inputs + ", width], found "
                                + (first == null ? "none" : first.shape()));
            }
            int width = first.shape().getLast();
            heads.add(new RetainingHead(
                    shape,
                    width,
                    calibration.data(name(layer, 1), inputs, width),
                    calibration.data(name(layer, 2), width, shape.kvHeads())));
        }
        return heads;
    }

    /** The tensors of a calibration of these heads. */
    public static Map<String, Calibration.Tensor> tensors(List<RetainingHead> heads, CacheShape shape) {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < heads.size(); layer++) {
            RetainingHead head = heads.get(layer);
            tensors.put(name(layer, 1), Calibration.Tensor.of(head.w1(), RetainingHead.inputs(shape), head.width()));
            tensors.put(name(layer, 2), Calibration.Tensor.of(head.w2(), head.width(), shape.kvHeads()));
        }
        return tensors;
    }

    private static String name(int layer, int product) {
        return "layer." + layer + ".w" + product;
    }
}
