package dev.kvasir.format;

import dev.kvasir.InvalidInputException;
import dev.kvasir.model.Model;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * A model with its matrices rounded to another type in memory: quantise-on-load. All of them lie in one allocation off the
 * heap, each at a multiple of 64 bytes; norms and biases stay F32. What it computes is what a GGUF file of {@link
 * GgufModelWriter} of the same type computes.
 */
public final class QuantizedModel {
    private static final long ALIGNMENT = 64;
    /** Bytes made between two reports. */
    private static final long PIECE = 16L << 20;

    private final DType type;
    private final Workers workers;
    private final WeightProgress progress;
    private MemorySegment memory = MemorySegment.NULL;
    private long at;

    private QuantizedModel(DType type, Workers workers, WeightProgress progress) {
        this.type = type;
        this.workers = workers;
        this.progress = progress;
    }

    /**
     * The model in matrices of the type; those that are of it already stay where they are. The fingerprint tells it from the
     * model it is made of.
     *
     * @throws InvalidInputException if the weights are quantised already, the type is not made or does not fit a width, a
     *     number is beyond its reach, or the memory is not there
     */
    public static Model of(Model model, DType type, Workers workers, WeightProgress progress) {
        WeightTypes.requireMade(type);
        requireWide(model, type);
        QuantizedModel made = new QuantizedModel(type, workers, progress);
        long bytes = bytes(model, type);
        made.memory = allocate(bytes);
        Weights weights = made.weights(model);
        if (bytes > 0) {
            progress.update(bytes, bytes);
        }
        return new Model(
                model.name(),
                model.config(),
                weights,
                fingerprint(model.fingerprint(), type),
                weightBytes(weights, model.config().tiedEmbeddings()),
                model.calibrations());
    }

    /** Bytes that {@link #of} allocates. Throws as it does where a width does not fit. */
    public static long bytes(Model model, DType type) {
        return encoders(model, type)
                .filter(encoder -> !encoder.keepsAll())
                .mapToLong(encoder -> aligned(encoder.bytes()))
                .sum();
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static void requireWide(Model model, DType type) {
        encoders(model, type).forEach(encoder -> {
            if (encoder.source().dtype().isPacked()) {
                throw new InvalidInputException("the weights of " + model.name() + " are quantised already ("
                        + encoder.name() + " is " + encoder.source().dtype()
                        + "): run them as they are, or make another file with kvasir convert gguf --type");
            }
        });
    }

    private static MemorySegment allocate(long bytes) {
        try {
            return Arena.ofAuto().allocate(bytes, ALIGNMENT);
        } catch (OutOfMemoryError e) {
            throw new InvalidInputException("weights of this type need " + bytes
                    + " bytes beside the heap, which are not there: choose a smaller type, raise"
                    + " -XX:MaxDirectMemorySize, or make a file with kvasir convert gguf");
        }
    }

    private static Stream<MatrixEncoder> encoders(Model model, DType type) {
        Weights all = model.weights();
        boolean tied = model.config().tiedEmbeddings();
        List<MatrixEncoder> encoders = new ArrayList<>();
        encoders.add(encoder("the embedding", all.embedding(), tied ? WeightTypes.ofOutput(type) : type));
        for (int i = 0; i < all.layers().size(); i++) {
            String prefix = "layer " + i + " ";
            Weights.Layer layer = all.layers().get(i);
            encoders.add(encoder(prefix + "q", layer.q(), type));
            encoders.add(encoder(prefix + "k", layer.k(), type));
            encoders.add(encoder(prefix + "v", layer.v(), type));
            encoders.add(encoder(prefix + "attention output", layer.attentionOutput(), type));
            encoders.add(encoder(prefix + "gate", layer.gate(), type));
            encoders.add(encoder(prefix + "up", layer.up(), type));
            encoders.add(encoder(prefix + "down", layer.down(), type));
        }
        if (!tied) {
            encoders.add(encoder("the output projection", all.output(), WeightTypes.ofOutput(type)));
        }
        return encoders.stream();
    }

    private static MatrixEncoder encoder(String name, Matrix matrix, DType type) {
        return new MatrixEncoder(name, matrix, type, new int[0]);
    }

    private Weights weights(Model model) {
        List<Matrix> made = encoders(model, type).map(this::matrix).toList();
        List<Weights.Layer> layers = new ArrayList<>();
        int next = 1;
        for (Weights.Layer layer : model.weights().layers()) {
            layers.add(new Weights.Layer(
                    layer.attentionNorm(),
                    made.get(next),
                    made.get(next + 1),
                    made.get(next + 2),
                    made.get(next + 3),
                    layer.mlpNorm(),
                    made.get(next + 4),
                    made.get(next + 5),
                    made.get(next + 6),
                    layer.rotaryOrder(),
                    layer.extras()));
            next += 7;
        }
        Matrix output = model.config().tiedEmbeddings() ? made.getFirst() : made.getLast();
        return new Weights(made.getFirst(), layers, model.weights().finalNorm(), output);
    }

    private Matrix matrix(MatrixEncoder encoder) {
        Matrix source = encoder.source();
        if (encoder.keepsAll()) {
            return source;
        }
        MemorySegment out = memory.asSlice(at, encoder.bytes());
        int rows = Math.clamp(PIECE / encoder.rowBytes(), 1, source.rows());
        for (int from = 0; from < source.rows(); from += rows) {
            progress.update(at + from * encoder.rowBytes(), memory.byteSize());
            int count = Math.min(rows, source.rows() - from);
            encoder.encode(from, count, out.asSlice(from * encoder.rowBytes(), count * encoder.rowBytes()), workers);
        }
        at += aligned(encoder.bytes());
        return new Matrix(encoder.type(), source.rows(), source.columns(), out);
    }

    private static String fingerprint(String source, DType type) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] found = digest.digest((source + " as " + type).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(found, 0, source.length() / 2);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    private static long weightBytes(Weights weights, boolean tied) {
        long bytes = weights.embedding().data().byteSize() + 4L * weights.finalNorm().length;
        if (!tied) {
            bytes += weights.output().data().byteSize();
        }
        for (Weights.Layer layer : weights.layers()) {
            Weights.Extras extras = layer.extras();
            bytes += Stream.of(
                            layer.q(),
                            layer.k(),
                            layer.v(),
                            layer.attentionOutput(),
                            layer.gate(),
                            layer.up(),
                            layer.down())
                    .mapToLong(matrix -> matrix.data().byteSize())
                    .sum();
            bytes += 4
                    * Stream.of(
                                    layer.attentionNorm(),
                                    layer.mlpNorm(),
                                    extras.queryBias(),
                                    extras.keyBias(),
                                    extras.valueBias(),
                                    extras.queryNorm(),
                                    extras.keyNorm(),
                                    extras.attentionPostNorm(),
                                    extras.mlpPostNorm())
                            .mapToLong(vector -> vector.length)
                            .sum();
        }
        return bytes;
    }
}
