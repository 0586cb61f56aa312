package dev.kvasir.format;

import dev.kvasir.model.ModelConfig;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

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

    static String of(ModelConfig config, WeightFiles files, List<String> tensors) {
        try {
            Fingerprint fingerprint = new Fingerprint(MessageDigest.getInstance("SHA-256"));
            fingerprint.add(canonical(config));
            tensors.stream().sorted().forEach(name -> fingerprint.add(files.holding(name), name));
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
                "rope_theta=" + c.ropeTheta(),
                "rope_scaling=" + c.ropeScaling().map(Fingerprint::canonical).orElse("none"),
                "tie_word_embeddings=" + c.tiedEmbeddings());
        return c.ropeBlock()
                .map(block -> usual + "\n" + ConfigFile.ROPE_BLOCK + "=" + block)
                .orElse(usual);
    }

    private static String canonical(ModelConfig.RopeScaling r) {
        return r.type() + "," + r.factor() + "," + r.lowFrequencyFactor() + "," + r.highFrequencyFactor() + ","
                + r.originalContextLength();
    }

    private void add(SafetensorsFile file, String name) {
        TensorInfo info = file.info(name);
        add(name + " " + info.type() + " " + info.shapeText());
        MemorySegment bytes = file.bytes(name);
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
