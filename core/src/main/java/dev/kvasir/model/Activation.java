package dev.kvasir.model;

/** What the MLP's gate goes through. */
public enum Activation {
    /** {@code x / (1 + exp(-x))}: SwiGLU, as in Llama (Shazeer 2020). */
    SILU,
    /** The tanh form of GELU: GeGLU, as in Gemma. */
    GELU_TANH
}
