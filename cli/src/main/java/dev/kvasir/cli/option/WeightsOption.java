package dev.kvasir.cli.option;

import dev.kvasir.format.QuantizedModel;
import dev.kvasir.format.WeightProgress;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Workers;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which type the matrices of a model are rounded to when it is opened. */
public final class WeightsOption {
    @Option(
            names = {"-w", "--weights"},
            paramLabel = "TYPE",
            converter = WeightTypeConverter.class,
            description =
                    "Rounds the weights of a model that is not quantised when it is opened: q8_0, q5_1, q5_0, q4_1, q4_0,"
                            + " bf16, f16 or f32. Default: as they are.")
    private Optional<DType> type = Optional.empty();

    /** The model with its matrices in the type that was chosen. Throws as {@link QuantizedModel#of}. */
    public Model apply(Model model, Workers workers, WeightProgress progress) {
        return type.isEmpty() ? model : QuantizedModel.of(model, type.get(), workers, progress);
    }
}
