package dev.kvasir.train;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.model.Model;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.net.NetShape;
import dev.kvasir.train.net.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The diagonal Fisher information of keys and values (KVQuant, arXiv 2401.18079, section 3.3): the loss of a sequence is its
 * mean next-token cross-entropy; what the key projection gives before RoPE and what the value projection gives have each
 * a gradient per element, and the square of it is the element's sensitivity.
 *
 * <p>All in f32, one sequence at a time; native memory holds the weights in f32 and the activations of one sequence.
 */
public final class FisherSensitivities implements SensitivitySource, AutoCloseable {
    private final LlamaNet net;

    /**
     * Sensitivities of any model that a folder holds.
     *
     * @param threads to compute with, for all of libtorch in this process
     * @throws InvalidInputException if the model is of a kind that the backward pass does not know
     */
    public FisherSensitivities(Model model, int threads) {
        torch.set_num_threads(threads);
        net = new LlamaNet(model, ScalarType.Float);
    }

    @Override
    public List<Calibrator.Sensitivity> of(int[] tokens) {
        if (tokens.length < 2) {
            throw new InvalidInputException("a loss needs at least 2 tokens, found " + tokens.length);
        }
        try (PointerScope _ = new PointerScope()) {
            List<Tensor> shifts = shifts(tokens.length);
            loss(tokens, shifts).backward();
            return shifts.stream().map(shift -> squared(shift.grad())).toList();
        }
    }

    /** Zeros to be added to keys and values of every layer, whose gradients are those of what they are added to. */
    private List<Tensor> shifts(int tokens) {
        NetShape shape = net.shape();
        List<Tensor> shifts = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            Tensor zeros = torch.zeros(1, tokens, 2L * shape.kvHeads(), shape.headDim());
            zeros.set_requires_grad(true);
            shifts.add(zeros);
        }
        return shifts;
    }

    private Tensor loss(int[] tokens, List<Tensor> shifts) {
        int predictions = tokens.length - 1;
        long[] inputs = new long[tokens.length];
        long[] targets = new long[predictions];
        for (int i = 0; i < tokens.length; i++) {
            inputs[i] = tokens[i];
            if (i > 0) {
                targets[i - 1] = tokens[i];
            }
        }
        Tensor hidden = net.hidden(Tensors.of(inputs, 1, tokens.length), shifts).narrow(0, 0, predictions);
        return torch.cross_entropy_loss(
                net.logits(hidden),
                Tensors.of(targets, predictions),
                new TensorOptional(),
                torch.Reduction.Mean.value,
                -100,
                0);
    }

    private Calibrator.Sensitivity squared(Tensor gradient) {
        long kvHeads = net.shape().kvHeads();
        Tensor square = gradient.mul(gradient);
        return new Squared(
                Tensors.floats(square.narrow(2, 0, kvHeads)), Tensors.floats(square.narrow(2, kvHeads, kvHeads)));
    }

    /** What one layer's keys and values weigh. */
    private static final class Squared implements Calibrator.Sensitivity {
        private final float[] keys;
        private final float[] values;

        Squared(float[] keys, float[] values) {
            this.keys = keys;
            this.values = values;
        }

        @Override
        public float[] keys() {
            return keys;
        }

        @Override
        public float[] values() {
            return values;
        }
    }

    /** Gives the weights back. */
    @Override
    public void close() {
        net.parameters().values().forEach(Tensor::close);
    }
}
