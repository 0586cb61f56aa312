package dev.kvasir.cache.selection;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.store.TokenNumbers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Heads at the end of a prompt, and scores that a test made up for them. */
public final class MadeUpHeads {
    private MadeUpHeads() {}

    /** Heads to which a prompt of {@code tokens} tokens has come. */
    public static List<HeadTokens> prompt(int heads, int tokens, PagePool pool) {
        List<HeadTokens> made = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            HeadTokens head = new HeadTokens(new TokenNumbers(pool), new TokenNumbers(pool));
            head.open(0, tokens);
            made.add(head);
        }
        return made;
    }

    /** Scores {@code [kvHeads * group][tokens]}; those of a KV head are the sums of its query heads'. */
    public static Importance scores(float[][] scores, int group) {
        return new Importance() {
            @Override
            public void open(TokenStates states) {}

            @Override
            public Optional<WeightObserver> observer() {
                return Optional.empty();
            }

            @Override
            public void of(int kvHead, float[] out) {
                for (int i = 0; i < scores[0].length; i++) {
                    out[i] = 0;
                    for (int g = 0; g < group; g++) {
                        out[i] += scores[kvHead * group + g][i];
                    }
                }
            }

            @Override
            public void ofQueryHead(int kvHead, int queryHead, float[] out) {
                System.arraycopy(scores[kvHead * group + queryHead], 0, out, 0, scores[0].length);
            }
        };
    }
}
