package dev.kvasir.cache;

/**
 * Learns what a method needs of a model. The runner feeds whole sequences, each from position 0, as often as asked:
 *
 * <pre>
 *   for each pass { begin(pass); for each sequence { for each layer: see(layer, states, queries, sensitivity) } }
 *   finish()
 * </pre>
 */
public interface Calibrator {
    /** How often the text is read. */
    default int passes() {
        return 1;
    }

    /** Whether {@link #see} is given the squared gradients of the loss; they take a backward pass. */
    default boolean wantsSensitivity(int pass) {
        return false;
    }

    /** A pass begins; passes count from 0. */
    default void begin(int pass) {}

    /** The states and queries of one layer for a whole sequence; valid during the call only. */
    void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity);

    /** What was learnt. */
    Calibration finish();

    /**
     * How sensitive the loss of a sequence is to what a layer caches: (d loss / d a) squared, elementwise (the diagonal
     * Fisher information of KVQuant, arXiv 2401.18079), loss = mean next-token cross-entropy.
     */
    interface Sensitivity {
        /** Where none was asked for: every element counts 1. */
        Sensitivity NONE = new Sensitivity() {
            @Override
            public float[] keys() {
                throw new IllegalStateException("no sensitivity in this pass");
            }

            @Override
            public float[] values() {
                throw new IllegalStateException("no sensitivity in this pass");
            }
        };

        /** For keys before RoPE, {@code [tokens][kvHeads][headDim]}. */
        float[] keys();

        /** For values, {@code [tokens][kvHeads][headDim]}. */
        float[] values();
    }
}
