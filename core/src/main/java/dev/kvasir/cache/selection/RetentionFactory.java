package dev.kvasir.cache.selection;

import java.util.List;

/** Makes what decides for one layer of one sequence. */
@FunctionalInterface
public interface RetentionFactory {
    /**
     * Decides about the tokens of these heads of a layer.
     *
     * @param movable whether stored tokens can go, one by one
     */
    Retention retention(int layer, List<HeadTokens> heads, boolean movable);
}
