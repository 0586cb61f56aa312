package dev.kvasir.train;

import dev.kvasir.InvalidFileException;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.net.Optimization;
import dev.kvasir.train.net.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.InputArchive;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.OutputArchive;
import org.bytedeco.pytorch.Tensor;

/** Weights, moments and step in one libtorch archive; written beside the old one and moved over it. */
final class Checkpoint {
    private static final String STEP = "step";
    private static final String OPTIMIZER = "optimizer";

    private Checkpoint() {}

    static void write(Path file, LlamaNet net, Optimization optimization, long step) {
        try (PointerScope _ = new PointerScope()) {
            Files.createDirectories(file.toAbsolutePath().getParent());
            Path fresh = file.resolveSibling(file.getFileName() + ".tmp");
            OutputArchive archive = new OutputArchive();
            for (Map.Entry<String, Tensor> parameter : net.parameters().entrySet()) {
                archive.write(archiveName(parameter.getKey()), parameter.getValue());
            }
            archive.write(STEP, Tensors.of(new long[] {step}, 1));
            for (int i = 0; i < optimization.optimizers().size(); i++) {
                OutputArchive moments = new OutputArchive();
                optimization.optimizers().get(i).save(moments);
                archive.write(OPTIMIZER + i, moments);
            }
            archive.save_to(fresh.toString());
            Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new InvalidFileException(file, "the checkpoint cannot be written", e);
        }
    }

    /** Loads everything into the net and the optimiser; gives the step. */
    static long read(Path file, LlamaNet net, Optimization optimization) {
        if (!Files.isReadable(file)) {
            throw new InvalidFileException(file, "there is no checkpoint to resume from");
        }
        try (PointerScope _ = new PointerScope();
                NoGradGuard _ = new NoGradGuard()) {
            InputArchive archive = new InputArchive();
            archive.load_from(file.toString());
            for (Map.Entry<String, Tensor> parameter : net.parameters().entrySet()) {
                Tensor stored = new Tensor();
                archive.read(archiveName(parameter.getKey()), stored);
                long[] found = stored.shape();
                long[] expected = parameter.getValue().shape();
                if (!Arrays.equals(found, expected)) {
                    throw new InvalidFileException(
                            file,
                            parameter.getKey() + " has shape " + Arrays.toString(found) + ", the recipe needs "
                                    + Arrays.toString(expected));
                }
                parameter.getValue().copy_(stored);
            }
            Tensor step = new Tensor();
            archive.read(STEP, step);
            for (int i = 0; i < optimization.optimizers().size(); i++) {
                InputArchive moments = new InputArchive();
                archive.read(OPTIMIZER + i, moments);
                optimization.optimizers().get(i).load(moments);
            }
            return step.item_long();
        } catch (RuntimeException e) {
            if (e instanceof InvalidFileException typed) {
                throw typed;
            }
            throw new InvalidFileException(file, "is no checkpoint of this recipe: " + firstLine(e), e);
        }
    }

    /** Dots separate sub-archives in libtorch. */
    private static String archiveName(String parameter) {
        return parameter.replace('.', '_');
    }

    private static String firstLine(Throwable e) {
        String message = String.valueOf(e.getMessage());
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
