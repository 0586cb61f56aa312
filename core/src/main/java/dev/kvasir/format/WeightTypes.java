package dev.kvasir.format;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.Quantize;
import java.util.Arrays;
import java.util.List;

/**
 * Which type each matrix gets when a model is made of one type.
 *
 * <p>As llama.cpp's quantize: the matrix that gives the logits keeps more than five bits. Where llama.cpp takes Q6_K this is
 * Q8_0, which llama.cpp itself falls back to for rows that are no multiple of 256.
 */
public final class WeightTypes {
    private WeightTypes() {}

    /** All types that a model can be made of. */
    public static List<DType> all() {
        return Arrays.stream(DType.values()).filter(Quantize::makes).toList();
    }

    /** The type of the matrix that gives the logits in a model of {@code main}. */
    static DType ofOutput(DType main) {
        return switch (main) {
            case Q4_0, Q4_1, Q5_0, Q5_1 -> DType.Q8_0;
            default -> main;
        };
    }

    /**
     * Checks that a model can be made of the type.
     *
     * @throws InvalidInputException if none is
     */
    static void requireMade(DType type) {
        if (!Quantize.makes(type)) {
            throw new InvalidInputException("weights cannot be made " + type + ", allowed are " + all());
        }
    }

    /**
     * Checks that rows are whole blocks.
     *
     * @throws InvalidInputException naming the matrix, the width and the types that would do
     */
    static void requireFits(String name, Matrix matrix, DType type) {
        if (matrix.columns() % type.blockElements() != 0) {
            throw new InvalidInputException(name + " has rows of " + matrix.columns() + " numbers, " + type
                    + " needs a multiple of " + type.blockElements() + ": allowed are F32, F16 and BF16");
        }
    }
}
