package dev.kvasir.format;

import dev.kvasir.model.LayerKind;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Identifies a model by what its keys and values depend on: the first 16 bytes of a SHA-256, as 32 hexadecimal digits.
 *
 * <p>Digested are the configuration's fields that enter the arithmetic, then for every tensor, sorted by name, its name,
 * element type, shape and a sample of its bytes: the first and the last 4 KiB and 16 pages of 4 KiB spread evenly between
 * them, or all bytes of a tensor no larger than that. How tensors are spread over files, metadata and tensors that the model
 * does not use do not matter. A change that touches no sampled page goes unseen: this tells models apart, it does not
 * prove that nobody tampered with one.
 */
final class Fingerprint {
    private static final int PAGE = 4096;
    private static final int STRIDED_PAGES = 16;
    private static final int DIGEST_BYTES = 16;

    private final MessageDigest digest;

    private Fingerprint(MessageDigest digest) {
        this.digest = digest;
    }

    /**
     * A tensor as it is digested.
     *
     * @param form element type and shape
     */
    record Part(String name, String form, MemorySegment bytes) {}

    static String of(ModelConfig config, WeightFiles files, List<String> tensors) {
        return of(
                config,
                tensors.stream().map(name -> part(files.holding(name), name)).toList());
    }

    private static Part part(SafetensorsFile file, String name) {
        TensorInfo info = file.info(name);
        return new Part(name, info.type() + " " + info.shapeText(), file.bytes(name));
    }

    static String of(ModelConfig config, List<Part> parts) {
        try {
            Fingerprint fingerprint = new Fingerprint(MessageDigest.getInstance("SHA-256"));
            fingerprint.add(canonical(config));
            parts.stream().sorted(Comparator.comparing(Part::name)).forEach(fingerprint::add);
            return HexFormat.of().formatHex(fingerprint.digest.digest(), 0, DIGEST_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    private static String canonical(ModelConfig c) {
        String usual = String.join(
                "\n",
                "hidden_size=" + c.hiddenSize(),
                "intermediate_size=" + c.intermediateSize(),
                "num_hidden_layers=" + c.layers(),
                "num_attention_heads=" + c.heads(),
                "num_key_value_heads=" + c.kvHeads(),
                "head_dim=" + c.headDim(),
                "vocab_size=" + c.vocabularySize(),
                "rms_norm_eps=" + c.rmsNormEpsilon(),
                "rope_theta=" + c.rotary(0).theta(),
                "rope_scaling=" + canonical(c.rotary(0).scaling()),
                "tie_word_embeddings=" + c.tiedEmbeddings());
        String described = c.isLlama() ? usual : usual + "\n" + c.arithmetic() + "\n" + kinds(c.kinds());
        return c.ropeBlock()
                .map(block -> described + "\n" + ConfigFile.ROPE_BLOCK + "=" + block)
                .orElse(described);
    }

    /** The kinds of layers in words of records, which name every number. */
    private static String kinds(List<LayerKind> kinds) {
        return kinds.stream().map(LayerKind::toString).collect(Collectors.joining("\n"));
    }

    /** The form that fingerprints of Llamas have had from the start; the others enter by {@link #kinds}. */
    private static String canonical(RopeScaling scaling) {
        return switch (scaling) {
            case RopeScaling.None _ -> "none";
            case RopeScaling.Linear linear -> "linear," + linear.factor() + ",1.0,1.0,1";
            case RopeScaling.Llama3 r ->
                "llama3," + r.factor() + "," + r.lowFrequencyFactor() + "," + r.highFrequencyFactor() + ","
                        + r.originalContextLength();
            default -> scaling.toString();
        };
    }

    private void add(Part part) {
        add(part.name() + " " + part.form());
        MemorySegment bytes = part.bytes();
        long size = bytes.byteSize();
        int pages = STRIDED_PAGES + 2;
        if (size <= (long) pages * PAGE) {
            digest.update(bytes.asByteBuffer());
            return;
        }
        for (int i = 0; i < pages; i++) {
            // The first page starts at 0, the last one ends at size. In two steps, for size * i may overflow.
            long span = size - PAGE;
            long start = span / (pages - 1) * i + span % (pages - 1) * i / (pages - 1);
            digest.update(bytes.asSlice(start, PAGE).asByteBuffer());
        }
    }

    /** Adds a text and its length, so that no two sequences of texts digest alike. */
    private void add(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        digest.update((bytes.length + ":").getBytes(StandardCharsets.UTF_8));
        digest.update(bytes);
    }
}
