package dev.kvasir.cache.kernel;

import java.util.Arrays;

/** A quantizer in the making: linear codes with F16 scales, unless said otherwise. */
final class Traits {
    final String name;
    final Quantizer.Rule rule;
    final Quantizer.Rounding rounding;
    int bits;
    float offset;
    int lowest;
    float step = 1;
    float constant;
    ScaleFormat scaleFormat = ScaleFormat.F16;
    ZeroFormat zeroFormat = ZeroFormat.NONE;
    float[] borders = {};
    float[] levels = {};

    Traits(String name, Quantizer.Rule rule, Quantizer.Rounding rounding) {
        this.name = name;
        this.rule = rule;
        this.rounding = rounding;
    }

    Quantizer make() {
        return new Quantizer(this);
    }

    Traits bits(int bits) {
        this.bits = bits;
        return this;
    }

    Traits offset(float offset) {
        this.offset = offset;
        return this;
    }

    Traits lowest(int lowest) {
        this.lowest = lowest;
        return this;
    }

    Traits step(float step) {
        this.step = step;
        return this;
    }

    Traits constant(float constant) {
        this.constant = constant;
        return this;
    }

    Traits formats(ScaleFormat scale, ZeroFormat zero) {
        scaleFormat = scale;
        zeroFormat = zero;
        return this;
    }

    /** A float exceeds the midpoint of two levels just when it exceeds the midpoint rounded down. */
    Traits levels(float[] ascending) {
        bits = 32 - Integer.numberOfLeadingZeros(ascending.length - 1);
        borders = new float[ascending.length - 1];
        for (int i = 0; i < borders.length; i++) {
            double middle = ((double) ascending[i] + ascending[i + 1]) / 2;
            float below = (float) middle;
            borders[i] = below > middle ? Math.nextDown(below) : below;
        }
        return decodeLevels(ascending);
    }

    /** A midpoint itself belongs to the upper level. */
    Traits tiesUp() {
        for (int i = 0; i < borders.length; i++) {
            borders[i] = Math.nextDown(borders[i]);
        }
        return this;
    }

    Traits decodeLevels(float[] meanings) {
        levels = Arrays.copyOf(meanings, 16);
        // Codes nobody writes, but a damaged page may hold.
        Arrays.fill(levels, meanings.length, 16, meanings[meanings.length - 1]);
        return this;
    }
}
