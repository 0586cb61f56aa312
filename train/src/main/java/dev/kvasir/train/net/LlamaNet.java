package dev.kvasir.train.net;

import static org.bytedeco.pytorch.global.torch.bmm;
import static org.bytedeco.pytorch.global.torch.cat;
import static org.bytedeco.pytorch.global.torch.linear;
import static org.bytedeco.pytorch.global.torch.silu;
import static org.bytedeco.pytorch.global.torch.softmax;

import dev.kvasir.InvalidInputException;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.Matrix;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A Llama decoder as libtorch tensors: f32 master weights, products in the compute type.
 *
 * <p>Query, key and value projections are one parameter {@code [(heads + 2 * kvHeads) * headDim][hiddenSize]}, gate and up
 * another {@code [2 * intermediateSize][hiddenSize]}: fewer and larger products. Attention is written out as two batched
 * products rather than the fused operator, whose backward pass has no bf16 kernel on CPUs; the query heads of a KV head
 * share one product, and long rows are cut into query blocks so that most of the future is never computed.
 */
public final class LlamaNet {
    private static final int QUERY_BLOCK = 256;
    private static final float MASKED = -30000f;

    private final NetShape shape;
    private final int vocabularySize;
    private final ScalarType compute;
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();
    private final List<Layer> layers = new ArrayList<>();
    private final Tensor embedding;
    private final Tensor finalNorm;
    /** The embedding itself where they are tied. */
    private final Tensor output;

    private final RotaryTable rotary;

    private record Layer(
            Tensor attentionNorm, Tensor qkv, Tensor attentionOutput, Tensor mlpNorm, Tensor gateUp, Tensor down) {}

    /**
     * A net with fresh weights: N(0, 1 / columns), so that scores and logits start at unit scale whatever the width;
     * projections back into the residual stream start at zero, so that the embedding is what every layer sees first.
     * Where the shape has room, the first two layers begin with an {@link InductionStart induction circuit}.
     */
    public LlamaNet(NetShape shape, int vocabularySize, ScalarType compute, long seed) {
        this.shape = shape;
        this.vocabularySize = vocabularySize;
        this.compute = compute;
        this.rotary = new RotaryTable(RotaryTable.frequencies(shape.headDim(), shape.ropeTheta()), compute);
        torch.manual_seed(seed);
        int hidden = shape.hiddenSize();
        int queryWidth = shape.heads() * shape.headDim();
        embedding = matrix("embedding", 1, vocabularySize, hidden);
        for (int l = 0; l < shape.layers(); l++) {
            String p = "layers." + l + ".";
            layers.add(new Layer(
                    norm(p + "attentionNorm"),
                    matrix(p + "qkv", 1, queryWidth + 2L * shape.kvHeads() * shape.headDim(), hidden),
                    matrix(p + "attentionOutput", 0, hidden, queryWidth),
                    norm(p + "mlpNorm"),
                    matrix(p + "gateUp", 1, 2L * shape.intermediateSize(), hidden),
                    matrix(p + "down", 0, hidden, shape.intermediateSize())));
        }
        finalNorm = norm("finalNorm");
        output = embedding;
        if (InductionStart.fits(shape)) {
            new InductionStart(shape, seed).apply(parameters);
        }
    }

    /**
     * The net of a model from a folder, weights widened to f32; none of its parameters has a gradient.
     *
     * @throws dev.kvasir.InvalidInputException if the net cannot hold the model
     */
    public LlamaNet(Model model, ScalarType compute) {
        ModelConfig config = model.config();
        this.shape = NetShape.of(config);
        this.vocabularySize = config.vocabularySize();
        this.compute = compute;
        this.rotary = new RotaryTable(config.rotaryFrequencies(0), compute);
        Weights weights = model.weights();
        embedding = given("embedding", weights.embedding());
        for (int l = 0; l < config.layers(); l++) {
            String p = "layers." + l + ".";
            Weights.Layer layer = weights.layers().get(l);
            if (!layer.extras().isNone()) {
                throw new InvalidInputException(
                        "gradients are made of plain Llamas only, found biases or further norms in"
                                + " a model of the family " + config.family());
            }
            layers.add(new Layer(
                    given(p + "attentionNorm", layer.attentionNorm()),
                    given(p + "qkv", layer.q(), layer.k(), layer.v()),
                    given(p + "attentionOutput", layer.attentionOutput()),
                    given(p + "mlpNorm", layer.mlpNorm()),
                    given(p + "gateUp", layer.gate(), layer.up()),
                    given(p + "down", layer.down())));
        }
        finalNorm = given("finalNorm", weights.finalNorm());
        output = config.tiedEmbeddings() ? embedding : given("output", weights.output());
    }

    /** The shape. */
    public NetShape shape() {
        return shape;
    }

    /** Rows of the embedding. */
    public int vocabularySize() {
        return vocabularySize;
    }

    /** All parameters by name, in a fixed order; norms are vectors, the others matrices. */
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** Number of trained values. */
    public long parameterCount() {
        return parameters.values().stream().mapToLong(Tensor::numel).sum();
    }

    /**
     * The final hidden states, normed.
     *
     * @param ids {@code [rows][length]} of int64
     * @return {@code [rows * length][hiddenSize]} in f32
     */
    public Tensor hidden(Tensor ids) {
        return hidden(ids, List.of());
    }

    /**
     * As {@link #hidden(Tensor)}, with something added to what the key and value projections give, before RoPE. The
     * gradient of a shift of zeros is that of the projections' outputs.
     *
     * @param shifts one per layer, {@code [rows][length][2 * kvHeads][headDim]}, keys first; or none at all
     */
    public Tensor hidden(Tensor ids, List<Tensor> shifts) {
        long rows = ids.size(0);
        long length = ids.size(1);
        Tensor x = torch.embedding(embedding, ids);
        for (int l = 0; l < layers.size(); l++) {
            Layer layer = layers.get(l);
            Tensor qkv = product(normed(x, layer.attentionNorm()), layer.qkv())
                    .view(rows, length, shape.heads() + 2L * shape.kvHeads(), shape.headDim());
            if (!shifts.isEmpty()) {
                qkv = shifted(qkv, shifts.get(l));
            }
            x = x.add(attention(qkv.transpose(1, 2), layer, rows, length));
            TensorVector gateUp =
                    product(normed(x, layer.mlpNorm()), layer.gateUp()).chunk(2, -1);
            x = x.add(product(silu(gateUp.get(0)).mul(gateUp.get(1)), layer.down()));
        }
        return normed(x, finalNorm).view(rows * length, shape.hiddenSize());
    }

    /** Logits {@code [n][vocabularySize]} in f32 of hidden states {@code [n][hiddenSize]}. */
    public Tensor logits(Tensor hidden) {
        return product(hidden, output).to(ScalarType.Float);
    }

    private Tensor shifted(Tensor qkv, Tensor shift) {
        Tensor queries = qkv.narrow(2, 0, shape.heads());
        Tensor others = qkv.narrow(2, shape.heads(), 2L * shape.kvHeads());
        return cat(new TensorVector(queries, others.add(shift)), 2);
    }

    /** What the heads gather; {@code qkv [rows][heads + 2 * kvHeads][length][headDim]} before RoPE. */
    private Tensor attention(Tensor qkv, Layer layer, long rows, long length) {
        long heads = shape.heads();
        long kvHeads = shape.kvHeads();
        long headDim = shape.headDim();
        long group = heads / kvHeads;
        Tensor rotated = rotary.apply(qkv.narrow(1, 0, heads + kvHeads), length);
        Tensor q = rotated.narrow(1, 0, heads)
                .mul(new Scalar((float) (1 / Math.sqrt(shape.headDim()))))
                .reshape(rows * kvHeads, group, length, headDim);
        Tensor k = rotated.narrow(1, heads, kvHeads)
                .reshape(rows * kvHeads, length, headDim)
                .transpose(1, 2);
        Tensor v = qkv.narrow(1, heads + kvHeads, kvHeads).reshape(rows * kvHeads, length, headDim);
        TensorVector blocks = new TensorVector();
        for (long from = 0; from < length; from += QUERY_BLOCK) {
            long count = Math.min(QUERY_BLOCK, length - from);
            long seen = from + count;
            Tensor queries = q.narrow(2, from, count).reshape(rows * kvHeads, group * count, headDim);
            Tensor scores = bmm(queries, k.narrow(2, 0, seen))
                    .view(rows * kvHeads, group, count, seen)
                    .add(causalMask(count, seen));
            Tensor weights = softmax(scores, -1).view(rows * kvHeads, group * count, seen);
            blocks.push_back(bmm(weights, v.narrow(1, 0, seen)).view(rows, heads, count, headDim));
        }
        Tensor o = blocks.size() == 1 ? blocks.get(0) : cat(blocks, 2);
        return product(o.transpose(1, 2).reshape(rows, length, heads * headDim), layer.attentionOutput());
    }

    /** Zero where query {@code i} of the newest {@code count} may look, {@link #MASKED} where a key is in its future. */
    private Tensor causalMask(long count, long seen) {
        return torch.full(new long[] {count, seen}, new Scalar(MASKED))
                .triu(seen - count + 1)
                .to(compute);
    }

    private Tensor product(Tensor x, Tensor weight) {
        return linear(x.to(compute), weight.to(compute));
    }

    private Tensor normed(Tensor x, Tensor weight) {
        Tensor meanSquare = x.mul(x).mean(new long[] {-1}, true, new ScalarTypeOptional());
        return x.mul(meanSquare.add(new Scalar(shape.rmsNormEpsilon())).rsqrt()).mul(weight);
    }

    private Tensor matrix(String name, double scale, long rows, long columns) {
        float std = (float) (scale / Math.sqrt((double) columns));
        return parameter(name, torch.randn(new long[] {rows, columns}).mul(new Scalar(std)));
    }

    private Tensor norm(String name) {
        return parameter(name, torch.ones(new long[] {shape.hiddenSize()}));
    }

    private Tensor given(String name, Matrix... parts) {
        Tensor weight = Tensors.of(parts);
        parameters.put(name, weight);
        return weight;
    }

    private Tensor given(String name, float[] norm) {
        Tensor weight = Tensors.of(norm, norm.length);
        parameters.put(name, weight);
        return weight;
    }

    private Tensor parameter(String name, Tensor initial) {
        Tensor leaf = initial.detach();
        leaf.set_requires_grad(true);
        parameters.put(name, leaf);
        return leaf;
    }
}
