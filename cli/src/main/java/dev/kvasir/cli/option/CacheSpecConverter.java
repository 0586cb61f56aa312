package dev.kvasir.cli.option;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code --cache}. */
public final class CacheSpecConverter implements ITypeConverter<CacheSpec> {
    @Override
    public CacheSpec convert(String text) {
        try {
            return CacheSpec.parse(text);
        } catch (InvalidInputException e) {
            throw new TypeConversionException(String.valueOf(e.getMessage()));
        }
    }
}
