package dev.kvasir.train.net;

import dev.kvasir.train.recipe.Recipe;
import java.util.List;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** AdamW over a net's parameters: matrices decay, norms do not; gradients are clipped by their global norm. */
public final class Optimization {
    private final AdamW matrices;
    private final AdamW norms;
    private final TensorVector all = new TensorVector();
    private final double clipNorm;

    /** A fresh optimiser. */
    public Optimization(LlamaNet net, Recipe.Optimizer options) {
        TensorVector decaying = new TensorVector();
        TensorVector free = new TensorVector();
        for (Tensor parameter : net.parameters().values()) {
            (parameter.dim() > 1 ? decaying : free).push_back(parameter);
            all.push_back(parameter);
        }
        // One optimiser each: the binding cannot build a list of parameter groups.
        matrices = new AdamW(decaying, adamOptions(options, options.weightDecay()));
        norms = new AdamW(free, adamOptions(options, 0));
        clipNorm = options.clipNorm();
    }

    private static AdamWOptions adamOptions(Recipe.Optimizer options, double decay) {
        AdamWOptions adam = new AdamWOptions(options.learningRate());
        adam.weight_decay().put(decay);
        adam.eps().put(options.epsilon());
        adam.betas().put(0, options.beta1()).put(1, options.beta2());
        return adam;
    }

    /** Differentiates the loss, clips, and takes one step at the given learning rate. */
    public void step(Tensor loss, double learningRate) {
        for (AdamW adam : optimizers()) {
            adam.param_groups().get(0).options().set_lr(learningRate);
            adam.zero_grad();
        }
        loss.backward();
        torch.clip_grad_norm_(all, clipNorm, 2.0, true);
        for (AdamW adam : optimizers()) {
            adam.step();
        }
    }

    /** The optimisers of matrices and of norms, for checkpoints. */
    public List<AdamW> optimizers() {
        return List.of(matrices, norms);
    }
}
