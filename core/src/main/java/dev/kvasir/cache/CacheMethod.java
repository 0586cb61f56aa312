package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.Workers;
import java.util.List;

/** A published way to hold a cache: what the registry knows of it. */
public interface CacheMethod {
    /** The name in specs. */
    String name();

    /** One line: what it keeps, and how. */
    String summary();

    /** Where it was published. */
    String source();

    /** The options, in the order of a canonical spec. */
    List<CacheOption> options();

    /** The idea, and figures, for a person who chooses. */
    default MethodNotes notes() {
        return MethodNotes.NONE;
    }

    /** The option that a value without a name is for; empty if none is. */
    default String positional() {
        return "";
    }

    /**
     * An empty cache.
     *
     * @param spec complete and canonical
     * @throws dev.kvasir.InvalidInputException if the settings do not fit each other or the shape
     */
    RestorableCache create(CacheSpec spec, CacheSettings settings, CacheModel model, PagePool pool, Workers workers);

    /** Whether it must learn something of the model beforehand, with its default options. */
    default boolean needsCalibration() {
        return false;
    }

    /** Whether some of its options want something learnt of the model beforehand. */
    default boolean canCalibrate() {
        return needsCalibration();
    }

    /**
     * What learns it; only if {@link #canCalibrate}.
     *
     * @param fingerprint of the model
     */
    default Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        throw new InvalidInputException(name() + " needs no calibration");
    }

    /** The bytes that a cache of {@code tokens} tokens allocates, by its formula; throws as {@link #create}. */
    Footprint estimate(CacheSettings settings, CacheShape shape, int tokens);
}
