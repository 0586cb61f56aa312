package dev.kvasir.lab.compare;

/** How much is measured: more takes longer and narrows the intervals. */
public enum Effort {
    /** A first look: one window, few documents. */
    QUICK(1024, 1, 8, 512, 3, 32),
    /** The default: a small model takes a few minutes on two cores. */
    STANDARD(2048, 2, 12, 1024, 3, 64),
    /** For figures to be quoted. */
    THOROUGH(2048, 8, 100, 2048, 9, 128);

    private final int context;
    private final int windows;
    private final int samples;
    private final int taskTokens;
    private final int repetitions;
    private final int decode;

    Effort(int context, int windows, int samples, int taskTokens, int repetitions, int decode) {
        this.context = context;
        this.windows = windows;
        this.samples = samples;
        this.taskTokens = taskTokens;
        this.repetitions = repetitions;
        this.decode = decode;
    }

    /** Tokens of a window of text; less for a model with less. */
    public int context() {
        return context;
    }

    /** Windows of text. */
    public int windows() {
        return windows;
    }

    /** Documents of each task. */
    public int samples() {
        return samples;
    }

    /** Tokens of a task's document. */
    public int taskTokens() {
        return taskTokens;
    }

    /** Timed repetitions. */
    public int repetitions() {
        return repetitions;
    }

    /** Tokens decoded in one timing. */
    public int decode() {
        return decode;
    }
}
