package dev.kvasir.tensor;

import java.util.Optional;
import java.util.ServiceLoader;

/** In which numbers products of many tokens with a weight matrix are made. Sums are F32 always, and so are products of a few tokens. */
public enum Precision {
    /** Weights and activations as they are. */
    F32,
    /** Both rounded to bf16, by a {@link ProductLibrary}; F32 where there is none that is fast. */
    BF16;

    /** Looked for when first asked for: loading a native library takes a while. */
    private static final class Found {
        static final Optional<ProductLibrary> LIBRARY =
                ServiceLoader.load(ProductLibrary.class).findFirst();
    }

    /** The library that multiplies in this precision, if one is needed and is fast here. */
    Optional<ProductLibrary> library() {
        return this == F32 ? Optional.empty() : Found.LIBRARY.filter(ProductLibrary::isFast);
    }

    /** What multiplies, for a person. */
    public String description() {
        return this == F32
                ? "f32"
                : Found.LIBRARY
                        .map(library -> library.isFast() ? "bf16 by " + library.name() : "f32 (" + library.name() + ")")
                        .orElse("f32 (there is no library for bf16)");
    }
}
