package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.store.Scratch;

/** Some of a step's tokens as a step by themselves. Rows are copied when first asked for, into arrays that are kept. */
final class StepView implements TokenStates, Queries {
    private final int hidden;
    private final int keyWidth;
    private final int queryWidth;
    private final Rows residual = new Rows();
    private final Rows input = new Rows();
    private final Rows plainKeys = new Rows();
    private final Rows keys = new Rows();
    private final Rows values = new Rows();
    private final Rows plainQueries = new Rows();
    private final Rows rotatedQueries = new Rows();
    private TokenStates states = new NoStep();
    private Queries queries = new NoStep();
    private int[] tokens = {};
    private int from;
    private int count;

    StepView(CacheShape shape) {
        hidden = shape.hiddenSize();
        keyWidth = shape.kvHeads() * shape.headDim();
        queryWidth = shape.heads() * shape.headDim();
    }

    /** Turns to the {@code size} tokens of a step from {@code first} on, counted from 0. */
    void turnTo(TokenStates stepStates, Queries stepQueries, int first, int size) {
        states = stepStates;
        queries = stepQueries;
        from = first;
        count = size;
        tokens = new int[0];
        forget();
    }

    /** Turns to these tokens of a step, counted from 0. The view's positions are meaningless then. */
    void turnTo(TokenStates stepStates, Queries stepQueries, int[] chosen) {
        states = stepStates;
        queries = stepQueries;
        from = 0;
        count = chosen.length;
        tokens = chosen;
        forget();
    }

    private void forget() {
        residual.done = false;
        input.done = false;
        plainKeys.done = false;
        keys.done = false;
        values.done = false;
        plainQueries.done = false;
        rotatedQueries.done = false;
    }

    private final class Rows {
        float[] array = {};
        boolean done;

        float[] of(float[] all, int width) {
            if (!done) {
                array = Scratch.grown(array, count * width);
                if (tokens.length == 0) {
                    System.arraycopy(all, from * width, array, 0, count * width);
                }
                for (int t = 0; t < tokens.length; t++) {
                    System.arraycopy(all, tokens[t] * width, array, t * width, width);
                }
                done = true;
            }
            return array;
        }
    }

    @Override
    public int count() {
        return count;
    }

    @Override
    public int firstPosition() {
        return states.firstPosition() + from;
    }

    @Override
    public float[] residual() {
        return residual.of(states.residual(), hidden);
    }

    @Override
    public float[] input() {
        return input.of(states.input(), hidden);
    }

    @Override
    public float[] keysBeforeRope() {
        return plainKeys.of(states.keysBeforeRope(), keyWidth);
    }

    @Override
    public float[] keys() {
        return keys.of(states.keys(), keyWidth);
    }

    @Override
    public float[] values() {
        return values.of(states.values(), keyWidth);
    }

    @Override
    public float[] queriesBeforeRope() {
        return plainQueries.of(queries.queriesBeforeRope(), queryWidth);
    }

    @Override
    public float[] queries() {
        return rotatedQueries.of(queries.queries(), queryWidth);
    }

    /** Stands for a step before there is one. */
    private static final class NoStep implements TokenStates, Queries {
        private static final float[] NOTHING = {};

        @Override
        public int count() {
            return 0;
        }

        @Override
        public int firstPosition() {
            return 0;
        }

        @Override
        public float[] residual() {
            return NOTHING;
        }

        @Override
        public float[] input() {
            return NOTHING;
        }

        @Override
        public float[] keysBeforeRope() {
            return NOTHING;
        }

        @Override
        public float[] keys() {
            return NOTHING;
        }

        @Override
        public float[] values() {
            return NOTHING;
        }

        @Override
        public float[] queriesBeforeRope() {
            return NOTHING;
        }

        @Override
        public float[] queries() {
            return NOTHING;
        }
    }
}
