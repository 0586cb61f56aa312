package dev.kvasir.tensor;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SuperMatVecTest {
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"})
    void everyWeightMeetsItsOwnColumn(DType dtype) {
        assumeTrue(SuperMatVec.serves(), "this machine's vectors are not of 16 floats");
        BlockMatVecTest.checkColumns(dtype, 768);
    }
}
