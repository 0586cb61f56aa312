package dev.kvasir.cache;

/** Where a model's calibrations are found. */
public interface Calibrations {
    /** A model that comes with none. */
    Calibrations NONE = (method, file) -> {
        throw new Calibration.CalibrationException(
                method,
                file.isEmpty()
                        ? "none comes with this model: make one with " + Caches.calibratedBy(method)
                        : "files cannot be read here, found file=" + file);
    };

    /**
     * The calibration of a method for this model.
     *
     * @param file the path given by the user; empty for the one that comes with the model
     * @throws dev.kvasir.KvasirException if there is none, if it is damaged, or if it is another model's or method's
     */
    Calibration find(String method, String file);
}
