package dev.kvasir.fuzz;

import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.chat.Message;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.List;

/** A little text through what a hostile file described. */
final class Talking {
    /** A template's own budget: texts of 64 Mi characters, their copies, and five million steps. */
    static final long TEMPLATE_BYTES = 4L << 30;

    private static final String TEXT = "the thing <s> in\u00e9\n\ud83d\ude00 \u2581the</s>";
    private static final List<Message> TURNS =
            List.of(Message.system("Be brief."), Message.user("Hi"), Message.assistant("Ho"), Message.user("\u00e9?"));

    private Talking() {}

    static void some(Tokenizer tokenizer, int vocabulary) {
        Hostile.refusable(() -> {
            int[] ids = tokenizer.encode(TEXT);
            tokenizer.encodeWithOffsets(TEXT);
            tokenizer.decode(ids);
        });
        Hostile.refusable(() -> {
            Tokenizer.Stream stream = tokenizer.stream();
            for (int id = 0; id < vocabulary; id++) {
                stream.next(id);
            }
            stream.finish();
        });
    }

    static void some(ChatTemplate template) {
        Hostile.refusable(() -> template.render(TURNS, true));
        Hostile.refusable(template::afterAnswer);
    }
}
