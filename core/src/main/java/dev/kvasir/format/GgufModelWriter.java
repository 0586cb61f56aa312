package dev.kvasir.format;

import dev.kvasir.InvalidInputException;
import dev.kvasir.format.gguf.GgmlType;
import dev.kvasir.format.gguf.GgufLayout;
import dev.kvasir.format.gguf.GgufPairs;
import dev.kvasir.format.gguf.GgufTensor;
import dev.kvasir.model.Model;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.Quantize;
import dev.kvasir.tensor.RowReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Writes a model as a GGUF file under llama.cpp's names: matrices in the type asked for, norms and biases in F32, rows of
 * queries and keys where the architecture has its rotary pairs. The file appears when it is complete.
 */
public final class GgufModelWriter {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final float LARGEST_F16 = 65504;

    private final Model model;
    private final Optional<DType> weights;
    private final int[] rowsOfHead;
    private final List<Tensor> tensors = new ArrayList<>();

    /**
     * What becomes a tensor.
     *
     * @param rowsOfHead for each row of a head in the file, the matrix's; empty where rows stay where they are
     */
    private record Tensor(GgufLayout.Part part, Matrix matrix, DType type, int[] rowsOfHead) {
        int source(int row) {
            return rowsOfHead.length == 0
                    ? row
                    : row - row % rowsOfHead.length + rowsOfHead[row % rowsOfHead.length];
        }
    }

    private GgufModelWriter(Model model, Optional<DType> weights) {
        this.model = model;
        this.weights = weights;
        this.rowsOfHead = GgufConfigWriter.rowsOfHead(model.config());
    }

    /**
     * Writes the file, over one that may be there.
     *
     * @param tokenizer pairs that describe the tokenizer
     * @param weights type of the matrices, one that {@link Quantize} makes; empty to keep each as it is
     * @throws InvalidInputException if GGUF has no words for the model, or a matrix cannot be of that type
     */
    public static void write(Model model, GgufPairs tokenizer, Optional<DType> weights, Path out) throws IOException {
        GgufConfigWriter.requireSupported(model.config());
        GgufModelWriter writer = new GgufModelWriter(model, weights);
        writer.collect();
        GgufPairs pairs = GgufConfigWriter.pairs(model, writer.mainType()).all(tokenizer);
        GgufLayout layout = GgufLayout.of(
                pairs, writer.tensors.stream().map(Tensor::part).toList());
        try (NewFile file = NewFile.create(out, layout.header().length + layout.dataBytes())) {
            file.write(MemorySegment.ofArray(layout.header()));
            for (int i = 0; i < writer.tensors.size(); i++) {
                GgufTensor placed = layout.tensors().get(i);
                write(writer.tensors.get(i), file);
                long end = i + 1 < writer.tensors.size()
                        ? layout.tensors().get(i + 1).offset()
                        : layout.dataBytes();
                file.write(MemorySegment.ofArray(new byte[(int) (end - placed.offset() - placed.bytes())]));
            }
            file.commit();
        }
    }

    /** What most of the weights are made of. */
    private DType mainType() {
        return weights.orElse(model.weights().layers().getFirst().q().dtype());
    }

    private void collect() {
        Weights all = model.weights();
        matrix(GgufWeights.EMBEDDING, all.embedding());
        for (int i = 0; i < all.layers().size(); i++) {
            layer("blk." + i + ".", all.layers().get(i));
        }
        vector("output_norm.weight", all.finalNorm());
        if (!model.config().tiedEmbeddings()) {
            matrix(GgufWeights.OUTPUT, all.output());
        }
        vector(GgufWeights.FREQUENCY_FACTORS, GgufConfigWriter.frequencyFactors(model.config()));
    }

    private void layer(String prefix, Weights.Layer layer) {
        vector(prefix + "attn_norm.weight", layer.attentionNorm());
        heads(prefix + "attn_q.weight", layer.q());
        heads(prefix + "attn_k.weight", layer.k());
        matrix(prefix + "attn_v.weight", layer.v());
        matrix(prefix + "attn_output.weight", layer.attentionOutput());
        vector(prefix + "ffn_norm.weight", layer.mlpNorm());
        matrix(prefix + "ffn_gate.weight", layer.gate());
        matrix(prefix + "ffn_up.weight", layer.up());
        matrix(prefix + "ffn_down.weight", layer.down());
        Weights.Extras extras = layer.extras();
        vector(prefix + "attn_q.bias", extras.queryBias());
        vector(prefix + "attn_k.bias", extras.keyBias());
        vector(prefix + "attn_v.bias", extras.valueBias());
        vector(prefix + "attn_q_norm.weight", extras.queryNorm());
        vector(prefix + "attn_k_norm.weight", extras.keyNorm());
    }

    private void matrix(String name, Matrix matrix) {
        add(name, matrix, new int[0]);
    }

    private void heads(String name, Matrix matrix) {
        boolean inPlace = IntStream.range(0, rowsOfHead.length).allMatch(row -> rowsOfHead[row] == row);
        add(name, matrix, inPlace ? new int[0] : rowsOfHead);
    }

    private void add(String name, Matrix matrix, int[] rows) {
        DType type = weights.orElse(matrix.dtype());
        if (matrix.columns() % type.blockElements() != 0) {
            throw new InvalidInputException("tensor " + name + " has rows of " + matrix.columns() + " numbers, " + type
                    + " needs a multiple of " + type.blockElements() + ": choose F32, F16 or BF16");
        }
        List<Long> shape = List.of((long) matrix.rows(), (long) matrix.columns());
        tensors.add(new Tensor(new GgufLayout.Part(name, type(type), shape), matrix, type, rows));
    }

    /** A vector, which the file has as F32; none where it is empty. */
    private void vector(String name, float[] values) {
        if (values.length > 0) {
            MemorySegment data = Arena.ofAuto().allocate(4L * values.length, 4);
            MemorySegment.copy(values, 0, data, F32, 0, values.length);
            tensors.add(new Tensor(
                    new GgufLayout.Part(name, GgmlType.F32, List.of((long) values.length)),
                    new Matrix(DType.F32, 1, values.length, data),
                    DType.F32,
                    new int[0]));
        }
    }

    private static GgmlType type(DType type) {
        return GgmlType.valueOf(type.name());
    }

    private static void write(Tensor tensor, NewFile file) throws IOException {
        Matrix matrix = tensor.matrix();
        boolean kept = tensor.type() == matrix.dtype();
        if (kept && tensor.rowsOfHead().length == 0) {
            file.write(matrix.data());
            return;
        }
        float[] numbers = new float[matrix.columns()];
        MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(tensor.type().bytes(matrix.columns()))]);
        for (int row = 0; row < matrix.rows(); row++) {
            int source = tensor.source(row);
            if (kept) {
                file.write(matrix.data().asSlice(source * matrix.rowBytes(), matrix.rowBytes()));
            } else {
                RowReader.read(matrix, source, 0, numbers.length, numbers, 0);
                encode(tensor, numbers, bytes);
                file.write(bytes);
            }
        }
    }

    private static void encode(Tensor tensor, float[] numbers, MemorySegment bytes) {
        if (tensor.type() == DType.F16) {
            for (float number : numbers) {
                if (!(Math.abs(number) <= LARGEST_F16)) {
                    throw new InvalidInputException("tensor " + tensor.part().name() + " has the number " + number
                            + ", F16 reaches to 65504: choose F32 or BF16");
                }
            }
        }
        try {
            Quantize.encode(tensor.type(), numbers, 0, numbers.length, bytes, 0);
        } catch (InvalidInputException e) {
            throw new InvalidInputException("tensor " + tensor.part().name() + ": " + e.getMessage(), e);
        }
    }
}
