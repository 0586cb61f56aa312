package dev.kvasir.train.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import dev.kvasir.train.ExportedNets;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LlamaNetTest {
    private static final int VOCABULARY = 512;

    /** Rotary pairs enough for the induction circuit, and rows longer than a block of queries. */
    private static final NetShape WITH_CIRCUIT = new NetShape(192, 64, 2, 4, 2, 64, 500_000f, 1e-5f);

    private static final NetShape WITHOUT = new NetShape(48, 80, 2, 6, 3, 16, 10_000f, 1e-5f);

    @Test
    void theEngineGivesTheNetsLogits(@TempDir Path folder) {
        for (NetShape shape : new NetShape[] {WITH_CIRCUIT, WITHOUT}) {
            try (PointerScope _ = new PointerScope();
                    NoGradGuard _ = new NoGradGuard()) {
                LlamaNet net = new LlamaNet(shape, VOCABULARY, ScalarType.Float, 3);
                net.parameters()
                        .values()
                        .forEach(t -> t.copy_(t.to(ScalarType.BFloat16).to(ScalarType.Float)));
                int[] tokens = new SplittableRandom(5).ints(300, 0, VOCABULARY).toArray();
                float[] expected = Tensors.floats(net.logits(net.hidden(Tensors.of(longs(tokens), 1, tokens.length))));

                ExportedNets.write(folder, net);
                float[] found = engineLogits(ModelFolder.open(folder), tokens);

                double largest = 0;
                double error = 0;
                for (int i = 0; i < expected.length; i++) {
                    largest = Math.max(largest, Math.abs(expected[i]));
                    error = Math.max(error, Math.abs(expected[i] - found[i]));
                }
                assertThat(error).isLessThan(1e-4 * largest);
            }
        }
    }

    @Test
    void freshNetWithTheCircuitAlreadyCopiesWhatRepeats() {
        assertThat(copied(WITH_CIRCUIT)).isGreaterThan(0.5);
        assertThat(copied(WITHOUT)).isLessThan(0.05);
    }

    /** Share of the second and third round of a random run of ids that a fresh net predicts. */
    private static double copied(NetShape shape) {
        int period = 24;
        int length = 3 * period;
        SplittableRandom random = new SplittableRandom(11);
        try (PointerScope _ = new PointerScope();
                NoGradGuard _ = new NoGradGuard()) {
            LlamaNet net = new LlamaNet(shape, VOCABULARY, ScalarType.Float, 1);
            int right = 0;
            int asked = 0;
            for (int round = 0; round < 8; round++) {
                int[] ids = new int[length];
                for (int i = 0; i < length; i++) {
                    ids[i] = i < period ? random.nextInt(VOCABULARY) : ids[i - period];
                }
                Tensor logits = net.logits(net.hidden(Tensors.of(longs(ids), 1, length)));
                long[] best = Tensors.longs(logits.argmax(new LongOptional(-1), false));
                for (int i = period; i < length - 1; i++) {
                    right += best[i] == ids[i + 1] ? 1 : 0;
                    asked++;
                }
            }
            return (double) right / asked;
        }
    }

    private static float[] engineLogits(Model model, int[] tokens) {
        float[] logits = new float[tokens.length * VOCABULARY];
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 24);
                KvCache cache = Caches.create(CacheSpec.parse("exact"), model.cacheModel(), pool, workers)) {
            new Decoder(model, workers).forwardAll(cache, tokens, 0, tokens.length, logits);
        }
        return logits;
    }

    private static long[] longs(int[] ids) {
        long[] longs = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            longs[i] = ids[i];
        }
        return longs;
    }
}
