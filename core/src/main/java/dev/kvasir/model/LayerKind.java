package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import java.util.OptionalInt;

/**
 * What one decoder layer's attention does differently from another's.
 *
 * @param window tokens a token sees at most, itself included; empty if it sees all before it
 * @param rotary how its queries and keys are rotated
 */
public record LayerKind(OptionalInt window, Rotary rotary) {
    /** Throws {@link InvalidInputException} if the window holds no token. */
    public LayerKind {
        if (window.isPresent() && window.getAsInt() < 1) {
            throw new InvalidInputException(
                    "an attention window must hold at least 1 token, found " + window.getAsInt());
        }
    }

    /** A layer that sees all tokens. */
    public static LayerKind global(Rotary rotary) {
        return new LayerKind(OptionalInt.empty(), rotary);
    }

    /** A layer that sees the newest {@code window} tokens, the token itself among them. */
    public static LayerKind local(int window, Rotary rotary) {
        return new LayerKind(OptionalInt.of(window), rotary);
    }
}
