package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.TokenStates;

/** A step's states with the keys before RoPE in the place of those after it: what a layer is given that stores them so. */
record PlainStates(TokenStates states) implements TokenStates {
    @Override
    public int count() {
        return states.count();
    }

    @Override
    public int firstPosition() {
        return states.firstPosition();
    }

    @Override
    public float[] residual() {
        return states.residual();
    }

    @Override
    public float[] input() {
        return states.input();
    }

    @Override
    public float[] keysBeforeRope() {
        return states.keysBeforeRope();
    }

    @Override
    public float[] keys() {
        return states.keysBeforeRope();
    }

    @Override
    public float[] values() {
        return states.values();
    }
}
