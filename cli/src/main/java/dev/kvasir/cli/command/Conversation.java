package dev.kvasir.cli.command;

import dev.kvasir.cache.KvCache;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.chat.Message;
import dev.kvasir.engine.Generator;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The turns of a templated chat, and which tokens of them a cache holds, so that a turn feeds only what is new.
 *
 * <p>The whole conversation is rendered each time: templates may write the past anew, by dropping an earlier answer's
 * thoughts, say. What the cache holds is then good up to the first token that differs.
 */
final class Conversation {
    private final ChatTemplate template;
    private final Tokenizer tokenizer;
    private final Optional<String> system;
    private final List<Message> messages = new ArrayList<>();
    /** Tokens that the cache holds beyond {@link #base}. */
    private int[] held = {};
    /** Tokens in the cache that are from another conversation. */
    private int base;

    Conversation(ChatTemplate template, Tokenizer tokenizer, Optional<String> system) {
        this.template = template;
        this.tokenizer = tokenizer;
        this.system = system;
        restart(0);
    }

    /** Forgets all turns; the cache holds {@code tokens} of something else. */
    void restart(int tokens) {
        messages.clear();
        system.map(Message::system).ifPresent(messages::add);
        held = new int[0];
        base = tokens;
    }

    /**
     * What a turn feeds.
     *
     * @param all tokens of the whole conversation
     * @param kept the first so many of them stay in the cache
     * @param dropped tokens that the cache must forget first
     */
    record Turn(int[] all, int kept, int dropped) {}

    /** The turn in which the user says {@code text}. */
    Turn say(String text) {
        List<Message> next = new ArrayList<>(messages);
        next.add(Message.user(text));
        int[] all = tokenizer.encode(template.render(next, true));
        int same = Math.max(0, Arrays.mismatch(held, all));
        int kept = Arrays.equals(held, all) ? all.length : same;
        // A step needs a token at least.
        kept = Math.min(kept, Math.max(0, all.length - 1));
        messages.add(Message.user(text));
        return new Turn(all, kept, held.length - kept);
    }

    /** Takes note of what was answered and what the cache now holds. */
    void answered(Turn turn, Generator.Result result, KvCache cache) {
        messages.add(Message.assistant(result.text()));
        int[] all = Arrays.copyOf(turn.all(), turn.all().length + result.ids().length);
        System.arraycopy(result.ids(), 0, all, turn.all().length, result.ids().length);
        held = Arrays.copyOf(all, cache.length() - base);
    }

    /** Takes note that {@code turn} was not answered. */
    void failed(Turn turn, KvCache cache) {
        messages.removeLast();
        held = Arrays.copyOf(turn.all(), Math.max(0, cache.length() - base));
    }

    /** Whether the cache holds something before this conversation, which rendering cannot bring back. */
    boolean goesOn() {
        return base > 0;
    }
}
