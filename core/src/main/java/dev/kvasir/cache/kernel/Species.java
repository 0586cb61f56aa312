package dev.kvasir.cache.kernel;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
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

    /** As many bytes as {@link #F} has floats; there is no such vector of four, where nothing uses it. */
    static final VectorSpecies<Byte> B = SHAPE.vectorBitSize() == 512 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    /** Floats of a vector. */
    static final int V = F.length();

    /** Lanes moved down by half a vector, a quarter and so on. */
    private static final VectorShuffle<Float> HALF = moved(V / 2);

    private static final VectorShuffle<Float> QUARTER = moved(V / 4);
    private static final VectorShuffle<Float> EIGHTH = moved(V / 8);
    private static final VectorShuffle<Float> SIXTEENTH = moved(V / 16);

    private Species() {}

    private static VectorShuffle<Float> moved(int lanes) {
        return VectorShuffle.fromOp(F, lane -> (lane + lanes) % V);
    }

    /**
     * The sum of a vector's lanes, always in the same order. The order of {@code reduceLanes} is left open and does change
     * when the JIT compiles a loop, so that the same step would give other bits a second later.
     */
    static float sum(FloatVector x) {
        FloatVector sum = x.add(x.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        if (V >= 8) {
            sum = sum.add(sum.rearrange(EIGHTH));
        }
        if (V >= 16) {
            sum = sum.add(sum.rearrange(SIXTEENTH));
        }
        return sum.lane(0);
    }

    private static VectorShape half(VectorShape shape) {
        return VectorShape.forBitSize(shape.vectorBitSize() / 2);
    }
}
