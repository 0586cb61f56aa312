package dev.kvasir.cli.option;

import dev.kvasir.tensor.Precision;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** In which numbers prompts are computed. */
public final class PrecisionOption {
    @Option(
            names = "--compute",
            paramLabel = "TYPE",
            defaultValue = "bf16",
            converter = Converter.class,
            description =
                    "Numbers that products of many tokens are made in: bf16 (a prompt is several times faster where the"
                            + " processor has bf16 products, else computed in f32), or f32. Default: ${DEFAULT-VALUE}.")
    private Precision precision = Precision.BF16;

    /** What was chosen. */
    public Precision precision() {
        return precision;
    }

    static final class Converter implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "f32" -> Precision.F32;
                case "bf16" -> Precision.BF16;
                default -> throw new TypeConversionException("allowed are f32 and bf16, found '" + value + "'");
            };
        }
    }
}
