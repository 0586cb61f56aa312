package dev.kvasir.cache.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** The vector shapes of this machine: the preferred one, 512 bits at most so that a unit of 16 lanes holds whole vectors. */
final class Species {
    static final VectorShape SHAPE =
            VectorShape.forBitSize(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));
    static final VectorSpecies<Float> F = VectorSpecies.of(float.class, SHAPE);
    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, SHAPE);
    /** As many shorts as {@link #F} has floats. */
    static final VectorSpecies<Short> S =
            SHAPE.vectorBitSize() == 128 ? ShortVector.SPECIES_64 : VectorSpecies.of(short.class, half(SHAPE));

    /** Floats of a vector. */
    static final int V = F.length();

    private Species() {}

    private static VectorShape half(VectorShape shape) {
        return VectorShape.forBitSize(shape.vectorBitSize() / 2);
    }
}
