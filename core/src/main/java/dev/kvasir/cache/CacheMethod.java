package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.selection.Policy;
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

    /**
     * How it decides which tokens stay, for a method that decides on top of it; empty if it lets none go by what they are
     * worth. Throws as {@link #layers}.
     */
    default Optional<Policy> policy(CacheSettings settings, CacheShape shape) {
        return Optional.empty();
    }

    /** Whether it must learn something of the model beforehand, with its default options. */
    default boolean needsCalibration() {
        return false;
    }

    /** The command that makes what it must learn, for a person. */
    default String calibratedBy() {
        return "kvasir calibrate " + name();
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

    /**
     * Bytes that it makes of a model's weights, beside them, for all sequences of the model at once: no part of any cache's
     * footprint. Throws as {@link #layers}.
     */
    default long weightBytes(CacheSettings settings, CacheShape shape) {
        return 0;
    }

    /** The bytes that a cache of {@code tokens} tokens allocates, by its formula; throws as {@link #layers}. */
    Footprint estimate(CacheSettings settings, CacheShape shape, int tokens);
}
