package dev.kvasir.cache.codebook;

/**
 * A symmetric probability density, up to a factor, on {@code [-reach, reach]}.
 *
 * @param reach beyond which there is nothing, or nothing that counts
 * @param shape the density at {@code x >= 0}
 */
public record Density(double reach, Shape shape) {
    /** Deviations after which a Gaussian's tail of 1e-23 is cut. */
    private static final double GAUSSIAN_REACH = 10;

    /** A density at one point. */
    @FunctionalInterface
    public interface Shape {
        /** At {@code x >= 0}, up to a factor. */
        double at(double x);
    }

    /** The Gaussian of mean zero. */
    public static Density gaussian(double deviation) {
        return new Density(GAUSSIAN_REACH * deviation, x -> Math.exp(-x * x / (2 * deviation * deviation)));
    }

    /**
     * A coordinate of a random point of the unit sphere in {@code dimensions}: {@code (1 - x^2)^((dimensions - 3) / 2)}, near
     * a Gaussian of variance {@code 1 / dimensions}. Source: TurboQuant, arXiv 2504.19874, lemma 1.
     *
     * @param dimensions three or more
     */
    public static Density sphere(int dimensions) {
        if (dimensions < 3) {
            throw new IllegalArgumentException("the density of a coordinate in " + dimensions + " dimensions");
        }
        double reach = Math.min(1, GAUSSIAN_REACH / Math.sqrt(dimensions));
        return new Density(reach, x -> Math.pow(Math.max(0, 1 - x * x), (dimensions - 3) / 2.0));
    }
}
