package dev.kvasir.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The type that products are computed in; weights, residual stream and optimiser stay f32. */
public enum Precision {
    /** bf16 where the processor multiplies it in hardware, else f32. */
    AUTO,
    F32,
    BF16;

    ScalarType type() {
        return switch (this) {
            case F32 -> ScalarType.Float;
            case BF16 -> ScalarType.BFloat16;
            case AUTO -> hasFastBf16() ? ScalarType.BFloat16 : ScalarType.Float;
        };
    }

    private static boolean hasFastBf16() {
        try {
            String flags = Files.readString(Path.of("/proc/cpuinfo"));
            return flags.contains(" amx_bf16") || flags.contains(" avx512_bf16");
        } catch (IOException e) {
            return false;
        }
    }
}
