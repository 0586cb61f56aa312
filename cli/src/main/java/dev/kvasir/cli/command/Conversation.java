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
    /** What was said with them: the text of the last turn and its answer, and the tokens of both; empty if that is not known. */
    private String heldText = "";

    private int[] heldIds = {};
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
        heldText = "";
        base = tokens;
    }

    /**
     * What a turn feeds.
     *
     * @param text the whole conversation
     * @param all tokens of the whole conversation
     * @param kept the first so many of them stay in the cache
     * @param dropped tokens that the cache must forget first
     */
    record Turn(String text, int[] all, int kept, int dropped) {}

    /** The turn in which the user says {@code text}. */
    Turn say(String text) {
        List<Message> next = new ArrayList<>(messages);
        next.add(Message.user(text));
        String whole = template.render(next, true);
        int[] all = tokenizer.encode(whole);
        int kept = same(all);
        if (kept < held.length && !heldText.isEmpty() && whole.startsWith(heldText)) {
            all = continued(all, whole.substring(heldText.length()));
            kept = same(all);
        }
        // A step needs a token at least.
        kept = Math.min(kept, Math.max(0, all.length - 1));
        messages.add(Message.user(text));
        return new Turn(whole, all, kept, held.length - kept);
    }

    /** Tokens of {@code all} that the cache holds. */
    private int same(int[] all) {
        int differs = Arrays.mismatch(held, all);
        return differs < 0 ? all.length : differs;
    }

    /**
     * The tokens that were said and those of {@code rest}: a model need not spell its answer with the tokens that a tokenizer
     * would choose. Where the tokens of {@code rest} depend on its being a start, as a prefixed blank does, {@code otherwise}.
     */
    private int[] continued(int[] otherwise, String rest) {
        int[] ids = tokenizer.encode(rest);
        int[] within = tokenizer.encode("x" + rest);
        int from = within.length - ids.length;
        if (from < 0 || !Arrays.equals(ids, Arrays.copyOfRange(within, from, within.length))) {
            return otherwise;
        }
        int[] all = Arrays.copyOf(heldIds, heldIds.length + ids.length);
        System.arraycopy(ids, 0, all, heldIds.length, ids.length);
        return all;
    }

    /** Takes note of what was answered and what the cache now holds. */
    void answered(Turn turn, Generator.Result result, KvCache cache) {
        messages.add(Message.assistant(result.text()));
        int[] all = Arrays.copyOf(turn.all(), turn.all().length + result.ids().length);
        System.arraycopy(result.ids(), 0, all, turn.all().length, result.ids().length);
        held = Arrays.copyOf(all, cache.length() - base);
        boolean ended = result.finish() == Generator.Finish.EOS;
        heldIds = ended ? Arrays.copyOf(all, all.length - 1) : all;
        // A stop text is in the tokens, but not in the answer.
        heldText = result.finish() == Generator.Finish.STOP ? "" : turn.text() + result.text();
    }

    /** Takes note that {@code turn} was not answered. */
    void failed(Turn turn, KvCache cache) {
        messages.removeLast();
        heldText = "";
        held = Arrays.copyOf(turn.all(), Math.max(0, cache.length() - base));
    }

    /** Whether the cache holds something before this conversation, which rendering cannot bring back. */
    boolean goesOn() {
        return base > 0;
    }
}
