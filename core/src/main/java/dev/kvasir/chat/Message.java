package dev.kvasir.chat;

/**
 * One turn of a conversation.
 *
 * @param role {@code system}, {@code user} or {@code assistant}, or what else the template knows
 */
public record Message(String role, String content) {
    /** What the conversation is told before it starts. */
    public static Message system(String content) {
        return new Message("system", content);
    }

    /** What the person says. */
    public static Message user(String content) {
        return new Message("user", content);
    }

    /** What the model says. */
    public static Message assistant(String content) {
        return new Message("assistant", content);
    }
}
