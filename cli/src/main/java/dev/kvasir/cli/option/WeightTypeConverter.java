package dev.kvasir.cli.option;

import dev.kvasir.format.WeightTypes;
import dev.kvasir.tensor.DType;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Names of the types that a model's matrices can be made of, in small letters. */
public final class WeightTypeConverter implements ITypeConverter<DType> {
    @Override
    public DType convert(String value) {
        return WeightTypes.all().stream()
                .filter(type -> name(type).equals(value.toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("allowed are "
                        + WeightTypes.all().stream()
                                .map(WeightTypeConverter::name)
                                .collect(Collectors.joining(", "))
                        + ", found '" + value + "'"));
    }

    /** How the type is spelled on the command line. */
    public static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }
}
