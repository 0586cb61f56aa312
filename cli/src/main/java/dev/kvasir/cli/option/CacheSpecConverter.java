package dev.kvasir.cli.option;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code --cache}. */
public final class CacheSpecConverter implements ITypeConverter<CacheSpec> {
    @Override
    public CacheSpec convert(String text) {
        try {
            CacheSpec spec = CacheSpec.parse(text);
            // Unknown names and values end here, with the nearest spelling; what the user wrote stays as the cache's
            // label.
            Caches.complete(spec);
            return spec;
        } catch (InvalidInputException e) {
            throw new TypeConversionException(String.valueOf(e.getMessage()));
        }
    }
}
