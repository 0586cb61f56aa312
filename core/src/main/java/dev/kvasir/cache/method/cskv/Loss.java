package dev.kvasir.cache.method.cskv;

/** Columns of the mean squared errors that a calibration reports of each projection. */
final class Loss {
    /** Of the start. */
    static final int START = 0;
    /** After training. */
    static final int TRAINED = 1;
    /** The lowest possible. */
    static final int BOUND = 2;
    /** Of the trained factors, latents quantized: what training without the quantizer comes to. */
    static final int ROUNDED_AFTER = 3;
    /** Of factors trained through the quantizer, latents quantized. */
    static final int ROUNDED = 4;
    /** Columns. */
    static final int COUNT = 5;

    private Loss() {}
}
