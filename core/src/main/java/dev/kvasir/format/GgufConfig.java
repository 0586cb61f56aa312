package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufMetadata;
import dev.kvasir.model.Activation;
import dev.kvasir.model.Arithmetic;
import dev.kvasir.model.LayerKind;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.Rotary;
import dev.kvasir.model.Sizes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads a {@link ModelConfig} from the metadata of a GGUF file.
 *
 * <p>Architectures: {@code llama} (as which Mistral and SmolLM come, too), {@code qwen2}, {@code qwen3}, {@code phi3}, {@code
 * gemma2}, {@code gemma3}.
 */
final class GgufConfig {
    static final String ARCHITECTURE = "general.architecture";

    private static final List<String> ARCHITECTURES = List.of("llama", "qwen2", "qwen3", "phi3", "gemma2", "gemma3");
    private static final int MAX_CONTEXT = 1 << 30;
    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_LAYERS = 1 << 12;
    private static final int MAX_HEAD = 1 << 12;
    /** Which tokens end a turn or a text, by their usual names: old files name only one of them by its id. */
    private static final Set<String> ENDS =
            Set.of("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>", "<|endoftext|>");

    private final GgufFile file;
    private final GgufMetadata metadata;
    private final String architecture;

    private GgufConfig(GgufFile file, String architecture) {
        this.file = file;
        this.metadata = file.metadata();
        this.architecture = architecture;
    }

    static ModelConfig read(GgufFile file) {
        GgufMetadata metadata = file.metadata();
        String architecture = metadata.requiredText(ARCHITECTURE);
        if (!ARCHITECTURES.contains(architecture)) {
            String shown = architecture.length() <= 40 ? architecture : architecture.substring(0, 40) + "...";
            throw metadata.problem(
                    ARCHITECTURE,
                    "must be one of " + ARCHITECTURES + ", found \"" + shown.replaceAll("\\p{Cntrl}", "?") + "\"");
        }
        if (metadata.integer("split.count", 0, 1 << 16).orElse(1) > 1) {
            throw metadata.problem("split.count", "must be 1: merge the parts of the model into one file first");
        }
        try {
            return new GgufConfig(file, architecture).config();
        } catch (InvalidInputException e) {
            throw new InvalidFileException(file.path(), "metadata: " + e.getMessage(), e);
        }
    }

    private ModelConfig config() {
        refuse("expert_count", "mixtures of experts are not supported");
        Sizes sizes = sizes();
        if (sizes.layers() > file.tensors().size()) {
            throw metadata.problem(
                    key("block_count"),
                    "must be at most " + file.tensors().size() + ", as many as there are tensors, found "
                            + sizes.layers());
        }
        return new ModelConfig(
                architecture,
                sizes,
                kinds(sizes),
                arithmetic(sizes),
                file.find(GgufWeights.OUTPUT).isEmpty(),
                bos(sizes.vocabularySize()),
                eos(sizes.vocabularySize()),
                Optional.empty());
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    private void refuse(String name, String why) {
        if (metadata.integer(key(name), 0, Integer.MAX_VALUE).orElse(0) > 0) {
            throw metadata.problem(key(name), "must be 0: " + why);
        }
    }

    private Sizes sizes() {
        int hidden = metadata.requiredInteger(key("embedding_length"), 1, MAX_WIDTH);
        int heads = metadata.requiredInteger(key("attention.head_count"), 1, 1 << 14);
        int kvHeads = metadata.integer(key("attention.head_count_kv"), 1, heads).orElse(heads);
        OptionalInt named = metadata.integer(key("attention.key_length"), 2, MAX_HEAD);
        if (named.isEmpty() && hidden % heads != 0) {
            throw metadata.problem(
                    key("attention.key_length"),
                    "is missing, and embedding_length " + hidden + " is no multiple of head_count " + heads);
        }
        int headDim = named.orElse(hidden / heads);
        if (headDim > MAX_HEAD) {
            throw metadata.problem(
                    key("attention.key_length"),
                    "is missing, and embedding_length " + hidden + " over head_count " + heads + " is above "
                            + MAX_HEAD);
        }
        metadata.integer(key("attention.value_length"), headDim, headDim);
        long rows = file.tensor(GgufWeights.EMBEDDING).shape().getFirst();
        if (rows > Integer.MAX_VALUE) {
            throw new InvalidFileException(file.path(), "tensor " + GgufWeights.EMBEDDING + " has " + rows + " rows");
        }
        return new Sizes(
                hidden,
                metadata.requiredInteger(key("feed_forward_length"), 1, MAX_WIDTH),
                metadata.requiredInteger(key("block_count"), 1, MAX_LAYERS),
                heads,
                kvHeads,
                headDim,
                (int) rows,
                metadata.requiredInteger(key("context_length"), 1, MAX_CONTEXT));
    }

    private List<LayerKind> kinds(Sizes sizes) {
        int dims = metadata.integer(key("rope.dimension_count"), 2, sizes.headDim())
                .orElse(sizes.headDim());
        Rotary.Layout layout = architecture.equals("llama") ? Rotary.Layout.ADJACENT : Rotary.Layout.HALVES;
        float theta = (float) metadata.positive(key("rope.freq_base"), 1e30).orElse(10_000);
        Rotary rotary = new Rotary(theta, dims, scaling(dims, sizes.contextLength()), layout);
        int window = metadata.integer(key("attention.sliding_window"), 0, MAX_CONTEXT)
                .orElse(0);
        float localTheta =
                (float) metadata.positive(key("rope.freq_base_swa"), 1e30).orElse(10_000);
        List<LayerKind> kinds = new ArrayList<>();
        for (int i = 0; i < sizes.layers(); i++) {
            boolean local = switch (architecture) {
                case "gemma2" -> i % 2 == 0;
                case "gemma3" -> i % 6 != 5;
                default -> true;
            };
            if (window == 0 && architecture.startsWith("gemma")) {
                throw metadata.missing(key("attention.sliding_window"));
            }
            if (window == 0 || !local) {
                kinds.add(LayerKind.global(rotary));
            } else if (architecture.equals("gemma3")) {
                kinds.add(LayerKind.local(window, new Rotary(localTheta, dims, RopeScaling.none(), layout)));
            } else {
                kinds.add(LayerKind.local(window, rotary));
            }
        }
        return kinds;
    }

    private RopeScaling scaling(int dims, int context) {
        int original = metadata.integer(key("rope.scaling.original_context_length"), 1, MAX_CONTEXT)
                .orElse(context);
        float attention =
                (float) metadata.positive(key("rope.scaling.attn_factor"), 1e6).orElse(1);
        if (file.find(GgufWeights.LONG_FACTORS).isPresent()) {
            return new RopeScaling.LongRope(
                    factors(GgufWeights.SHORT_FACTORS, dims),
                    factors(GgufWeights.LONG_FACTORS, dims),
                    original,
                    attention);
        }
        if (file.find(GgufWeights.FREQUENCY_FACTORS).isPresent()) {
            // Llama 3.1's stretching, worked out by the converter: a divisor for each pair, at any length.
            List<Float> factors = factors(GgufWeights.FREQUENCY_FACTORS, dims);
            return new RopeScaling.LongRope(factors, factors, original, 1);
        }
        String type = metadata.text(key("rope.scaling.type")).orElse("none");
        double factor = metadata.positive(key("rope.scaling.factor"), 1e6)
                .orElse(metadata.positive(key("rope.scale_linear"), 1e6).orElse(1));
        return switch (type.toLowerCase(Locale.ROOT)) {
            case "none" -> factor == 1 ? RopeScaling.none() : new RopeScaling.Linear((float) factor);
            case "linear" -> new RopeScaling.Linear((float) factor);
            case "yarn" ->
                new RopeScaling.Yarn(
                        (float) factor,
                        (float) metadata.positive(key("rope.scaling.yarn_beta_fast"), 1e6)
                                .orElse(32),
                        (float) metadata.positive(key("rope.scaling.yarn_beta_slow"), 1e6)
                                .orElse(1),
                        original,
                        (float) (attention * RopeScaling.Yarn.defaultAttention(factor, 1)),
                        true);
            default ->
                throw metadata.problem(
                        key("rope.scaling.type"),
                        "must be none, linear or yarn where there are no tensors of factors, found another");
        };
    }

    private List<Float> factors(String name, int dims) {
        List<Float> factors = new ArrayList<>();
        for (float factor : new GgufWeights(file).vector(name, dims / 2)) {
            factors.add(factor);
        }
        return factors;
    }

    private Arithmetic arithmetic(Sizes sizes) {
        float epsilon = (float) metadata.requiredPositive(key("attention.layer_norm_rms_epsilon"), 0.5);
        if (!architecture.startsWith("gemma")) {
            return Arithmetic.llama(epsilon, sizes.headDim());
        }
        return gemma(
                architecture,
                sizes,
                epsilon,
                (float) metadata.positive(key("attn_logit_softcapping"), 1e6).orElse(0),
                (float) metadata.positive(key("final_logit_softcapping"), 1e6).orElse(0));
    }

    /** The arithmetic that the architecture stands for, {@code gemma2} or {@code gemma3}. */
    static Arithmetic gemma(String architecture, Sizes sizes, float epsilon, float scoreCap, float logitCap) {
        // The 27-billion models divide by the width per head, which is not their heads' width; files do not say so.
        boolean largest = sizes.layers() == (architecture.equals("gemma2") ? 46 : 62);
        double divisor = largest ? (double) sizes.hiddenSize() / sizes.heads() : sizes.headDim();
        return new Arithmetic(
                epsilon,
                Activation.GELU_TANH,
                (float) Math.sqrt(sizes.hiddenSize()),
                (float) (1 / Math.sqrt(divisor)),
                scoreCap,
                logitCap);
    }

    /** The first token, where the file says that texts get one; byte-level vocabularies need not. */
    private Optional<Integer> bos(int vocabulary) {
        OptionalInt id = metadata.integer("tokenizer.ggml.bos_token_id", 0, vocabulary - 1);
        String pre = metadata.text("tokenizer.ggml.pre").orElse("");
        boolean usual = metadata.text("tokenizer.ggml.model").orElse("").equals("llama")
                || pre.equals("llama-bpe")
                || pre.equals("llama3");
        return id.isPresent() && metadata.flag("tokenizer.ggml.add_bos_token", usual)
                ? Optional.of(id.getAsInt())
                : Optional.empty();
    }

    private List<Integer> eos(int vocabulary) {
        Set<Integer> ids = new TreeSet<>();
        for (String name : List.of("eos", "eot", "eom")) {
            metadata.integer("tokenizer.ggml." + name + "_token_id", 0, vocabulary - 1)
                    .ifPresent(ids::add);
        }
        List<String> tokens = metadata.texts("tokenizer.ggml.tokens").orElse(List.of());
        for (int id = 0; id < Math.min(tokens.size(), vocabulary); id++) {
            if (ENDS.contains(tokens.get(id))) {
                ids.add(id);
            }
        }
        return List.copyOf(ids);
    }
}
