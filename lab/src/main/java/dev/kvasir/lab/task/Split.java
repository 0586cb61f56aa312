package dev.kvasir.lab.task;

/**
 * What a document is for. No text of one split is a text of the other: a hash holds a tenth of all openings out for
 * {@link #TEST}, every document of TEST begins with one of these and no document of {@link #TRAIN} does.
 */
public enum Split {
    TRAIN,
    TEST;

    private static final int HELD_OUT_ONE_IN = 10;

    /** Whether {@code opening}, the part of a document that decides its split, is this split's. */
    boolean owns(String opening) {
        return heldOut(opening) == (this == TEST);
    }

    /** Whether this split may use a combination of words: TEST all of them, TRAIN nine tenths. */
    boolean mayUse(String combination) {
        return this == TEST || !heldOut(combination);
    }

    static boolean heldOut(String text) {
        return Long.remainderUnsigned(Dice.hash(0, text), HELD_OUT_ONE_IN) == 0;
    }
}
