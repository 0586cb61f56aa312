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
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Writes a model as a GGUF file under llama.cpp's names: matrices in the type asked for ({@link WeightTypes}), norms and biases
 * in F32, rows of queries and keys where the architecture has its rotary pairs. A piece of a matrix is in memory at a time;
 * the file appears when it is complete.
 */
public final class GgufModelWriter {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Bytes of encoded rows in memory at a time. */
    private static final long PIECE = 8L << 20;

    private final Model model;
    private final DType type;
    private final int[] rowsOfHead;
    private final boolean fused;
    private final List<Tensor> tensors = new ArrayList<>();

    /** What becomes a tensor: matrices one below the other. */
    private record Tensor(GgufLayout.Part part, List<MatrixEncoder> matrices) {}

    private GgufModelWriter(Model model, DType type) {
        this.model = model;
        this.type = type;
        int[] rows = GgufConfigWriter.rowsOfHead(model.config());
        boolean inPlace = IntStream.range(0, rows.length).allMatch(row -> rows[row] == row);
        this.rowsOfHead = inPlace ? new int[0] : rows;
        this.fused = GgufConfigWriter.fused(model.config());
    }

    /**
     * Writes the file, over one that may be there.
     *
     * @param tokenizer pairs that describe the tokenizer
     * @param type of the matrices, one of {@link WeightTypes#all}
     * @throws InvalidInputException if GGUF has no words for the model, or a matrix cannot be of that type
     */
    public static void write(
            Model model, GgufPairs tokenizer, DType type, Path out, Workers workers, WeightProgress progress)
            throws IOException {
        WeightTypes.requireMade(type);
        GgufConfigWriter.requireSupported(model.config());
        GgufModelWriter writer = new GgufModelWriter(model, type);
        writer.collect();
        GgufPairs pairs = GgufConfigWriter.pairs(model, type).all(tokenizer);
        GgufLayout layout =
                GgufLayout.of(pairs, writer.tensors.stream().map(Tensor::part).toList());
        long header = layout.header().length;
        long end = header + layout.dataBytes();
        try (NewFile file = NewFile.create(out, end)) {
            file.write(MemorySegment.ofArray(layout.header()));
            for (int i = 0; i < writer.tensors.size(); i++) {
                GgufTensor placed = layout.tensors().get(i);
                pad(file, header + placed.offset());
                for (MatrixEncoder matrix : writer.tensors.get(i).matrices()) {
                    write(matrix, file, workers, end, progress);
                }
            }
            pad(file, end);
            file.commit();
            progress.update(end, end);
        }
    }

    private static void pad(NewFile file, long to) throws IOException {
        file.write(MemorySegment.ofArray(new byte[Math.toIntExact(to - file.position())]));
    }

    private static void write(MatrixEncoder matrix, NewFile file, Workers workers, long end, WeightProgress progress)
            throws IOException {
        int all = matrix.source().rows();
        int rows = Math.clamp(PIECE / matrix.rowBytes(), 1, all);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment piece = arena.allocate(rows * matrix.rowBytes(), 64);
            for (int from = 0; from < all; from += rows) {
                progress.update(file.position(), end);
                int count = Math.min(rows, all - from);
                MemorySegment made = piece.asSlice(0, count * matrix.rowBytes());
                matrix.encode(from, count, made, workers);
                file.write(made);
            }
        }
    }

    private void collect() {
        Weights all = model.weights();
        boolean tied = model.config().tiedEmbeddings();
        matrices(GgufWeights.EMBEDDING, tied ? WeightTypes.ofOutput(type) : type, List.of(all.embedding()));
        for (int i = 0; i < all.layers().size(); i++) {
            layer("blk." + i + ".", all.layers().get(i));
        }
        vector("output_norm.weight", all.finalNorm());
        if (!tied) {
            matrices(GgufWeights.OUTPUT, WeightTypes.ofOutput(type), List.of(all.output()));
        }
        GgufConfigWriter.factors(model.config()).forEach(this::vector);
    }

    private void layer(String prefix, Weights.Layer layer) {
        vector(prefix + "attn_norm.weight", layer.attentionNorm());
        if (fused) {
            matrices(prefix + "attn_qkv.weight", type, List.of(layer.q(), layer.k(), layer.v()));
        } else {
            heads(prefix + "attn_q.weight", layer.q());
            heads(prefix + "attn_k.weight", layer.k());
            matrices(prefix + "attn_v.weight", type, List.of(layer.v()));
        }
        matrices(prefix + "attn_output.weight", type, List.of(layer.attentionOutput()));
        vector(prefix + "ffn_norm.weight", layer.mlpNorm());
        if (fused) {
            matrices(prefix + "ffn_up.weight", type, List.of(layer.gate(), layer.up()));
        } else {
            matrices(prefix + "ffn_gate.weight", type, List.of(layer.gate()));
            matrices(prefix + "ffn_up.weight", type, List.of(layer.up()));
        }
        matrices(prefix + "ffn_down.weight", type, List.of(layer.down()));
        Weights.Extras extras = layer.extras();
        // Of the architectures written, only those whose rows stay in place have biases or norms of heads.
        vector(prefix + "attn_q.bias", extras.queryBias());
        vector(prefix + "attn_k.bias", extras.keyBias());
        vector(prefix + "attn_v.bias", extras.valueBias());
        vector(prefix + "attn_q_norm.weight", extras.queryNorm());
        vector(prefix + "attn_k_norm.weight", extras.keyNorm());
        vector(prefix + "post_attention_norm.weight", extras.attentionPostNorm());
        vector(prefix + "post_ffw_norm.weight", extras.mlpPostNorm());
    }

    private void matrices(String name, DType made, List<Matrix> matrices) {
        add(name, made, matrices, new int[0]);
    }

    private void heads(String name, Matrix matrix) {
        add(name, type, List.of(matrix), rowsOfHead);
    }

    private void add(String name, DType made, List<Matrix> matrices, int[] rows) {
        List<MatrixEncoder> encoders = matrices.stream()
                .map(matrix -> new MatrixEncoder("tensor " + name, matrix, made, rows))
                .toList();
        long all = matrices.stream().mapToLong(Matrix::rows).sum();
        List<Long> shape = List.of(all, (long) matrices.getFirst().columns());
        tensors.add(new Tensor(new GgufLayout.Part(name, GgmlType.valueOf(made.name()), shape), encoders));
    }

    /** A vector, which the file has as F32; none where it is empty. */
    private void vector(String name, float[] values) {
        if (values.length > 0) {
            MemorySegment data = Arena.ofAuto().allocate(4L * values.length, 4);
            MemorySegment.copy(values, 0, data, F32, 0, values.length);
            Matrix row = new Matrix(DType.F32, 1, values.length, data);
            tensors.add(new Tensor(
                    new GgufLayout.Part(name, GgmlType.F32, List.of((long) values.length)),
                    List.of(new MatrixEncoder("tensor " + name, row, DType.F32, new int[0]))));
        }
    }
}
