package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerFactory;
import java.util.List;
import java.util.Optional;

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
     * How the layers of such a cache remember.
     *
     * @throws dev.kvasir.InvalidInputException if the settings do not fit each other or the shape
     */
    default LayerFactory layers(CacheSettings settings, CacheModel model) {
        return HeadStores.factory(model.shape(), heads(settings, model).orElseThrow());
    }

    /**
     * How a head remembers, where heads remember by themselves: what stores the tokens that another method has chosen.
     * Throws as {@link #layers}.
     */
    default Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.empty();
    }

    /** Why its layers cannot store what another method gives them; empty if they can. */
    default Optional<String> standsAlone() {
        return Optional.empty();
    }

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

    /** The bytes that a cache of {@code tokens} tokens allocates, by its formula; throws as {@link #layers}. */
    Footprint estimate(CacheSettings settings, CacheShape shape, int tokens);
}
