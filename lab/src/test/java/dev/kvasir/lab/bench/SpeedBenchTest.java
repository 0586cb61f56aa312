package dev.kvasir.lab.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.bench.SpeedResult.PeakScope;
import dev.kvasir.lab.metric.ProcessMemory;
import dev.kvasir.lab.step.FakeModel;
import dev.kvasir.lab.step.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpeedBenchTest {
    private static final CacheSpec SLOW = new CacheSpec("slow", Map.of());
    private static final CacheSpec FAST = new CacheSpec("fast", Map.of());
    private static final SpeedOptions OPTIONS = new SpeedOptions(20, List.of(0, 10, 40), 4, 3, 16, 1);

    private final AtomicLong clock = new AtomicLong();

    /** A token takes 1 ms and 0.1 ms more for each token in the cache, or half of both. */
    private final FakeModel model = new FakeModel(5, 64, (method, fed) -> new float[5], this::work);

    private void work(String method, int lengthBefore, int count) {
        for (int i = 0; i < count; i++) {
            long nanos = 1_000_000 + 100_000L * (lengthBefore + i);
            clock.addAndGet(method.equals("fast") ? nanos / 2 : nanos);
        }
    }

    private static final ProcessMemory NO_MEMORY = new ProcessMemory(Path.of("/none"), Path.of("/none"));

    private List<SpeedResult> run(ProcessMemory memory) {
        return new SpeedBench(model, OPTIONS, memory, clock::get).run(List.of(SLOW, FAST), Progress.none());
    }

    @Test
    void speedsAreTokensOverTheirOwnTime() {
        SpeedResult slow = run(NO_MEMORY).getFirst();
        // 20 tokens at depths 0 to 19: 20 ms + 0.1 ms * 190.
        assertThat(slow.prefill().median()).isCloseTo(20 / 0.039, within(1e-6));
        assertThat(slow.prefill().count()).isEqualTo(3);
        assertThat(slow.depths().stream().map(DepthSpeed::depth)).containsExactly(0, 10, 40);
        // 4 tokens at depths 40 to 43: 4 ms + 0.1 ms * 166.
        assertThat(slow.deepestDecode()).isCloseTo(4 / 0.0206, within(1e-6));
        assertThat(slow.depths().getLast().cacheBytes()).isEqualTo(440);
    }

    @Test
    void timesAreTheInverseOfSpeedsAndGrowWithDepth() {
        List<SpeedResult> results = run(NO_MEMORY);
        DepthSpeed deepest = results.getFirst().depths().getLast();
        assertThat(deepest.millis().median()).isCloseTo(20.6 / 4, within(1e-9));
        assertThat(deepest.millis().min()).isLessThanOrEqualTo(deepest.millis().max());
        // 0.1 ms for each token in the cache, or half of it.
        assertThat(results.getFirst().nanosPerDepth().orElseThrow()).isCloseTo(100_000, within(1e-3));
        assertThat(results.getLast().nanosPerDepth().orElseThrow()).isCloseTo(50_000, within(1e-3));
        SpeedOptions one = new SpeedOptions(20, List.of(10), 4, 1, 16, 1);
        assertThat(new SpeedBench(model, one, NO_MEMORY, clock::get)
                        .run(List.of(SLOW), Progress.none())
                        .getFirst()
                        .nanosPerDepth())
                .isEmpty();
    }

    @Test
    void ratiosAreAgainstTheFirstCache() {
        List<SpeedResult> results = run(NO_MEMORY);
        assertThat(results.getFirst().prefillRatio().median()).isEqualTo(1);
        assertThat(results.getLast().prefillRatio().median()).isCloseTo(2, within(1e-9));
        assertThat(results.getLast().depths())
                .allSatisfy(depth -> assertThat(depth.ratio().median()).isCloseTo(2, within(1e-9)));
    }

    @Test
    void repetitionsAlternateTheCachesAndWhoBegins() {
        run(NO_MEMORY);
        List<String> prefills = model.steps.stream()
                .filter(step -> step.endsWith("0+20"))
                .map(step -> step.substring(0, 4))
                .toList();
        // Two warm-up prompts each, then three repetitions.
        assertThat(prefills)
                .containsExactly(
                        "slow", "slow", "fast", "fast", //
                        "slow", "fast", "fast", "slow", "slow", "fast");
    }

    @Test
    void repeatsThePromptBeyondItsOwnLength() {
        SpeedOptions repeat = new SpeedOptions(20, List.of(0, 10, 40), 4, 1, 16, 1, SpeedOptions.Fill.REPEAT);
        SpeedResult slow = new SpeedBench(model, repeat, NO_MEMORY, clock::get)
                .run(List.of(SLOW), Progress.none())
                .getFirst();
        // Alone, to the deepest depth: 20 tokens are run, 20 are not; then by depths.
        assertThat(model.steps).containsSubsequence("slow 0+16", "slow 16+4", "slow 20+16 again", "slow 36+4 again");
        assertThat(model.steps).containsSubsequence("slow 0+10", "slow 10+10", "slow 20+16 again", "slow 36+4 again");
        assertThat(slow.deepestDecode()).isCloseTo(4 / 0.0206, within(1e-6));
        assertThat(slow.depths().getLast().cacheBytes()).isEqualTo(440);
    }

    @Test
    void closesEverySequence() {
        run(NO_MEMORY);
        assertThat(model.closed).isEqualTo(model.opened);
    }

    @Test
    void progressEndsAtItsTotal() {
        List<Long> done = new ArrayList<>();
        long[] last = new long[1];
        new SpeedBench(model, OPTIONS, NO_MEMORY, clock::get).run(List.of(SLOW, FAST), (p, u, at, total, rate) -> {
            done.add(at);
            last[0] = total;
        });
        assertThat(done).isSorted().endsWith(last[0]);
    }

    @Test
    void saysWhatThePeakCovers(@TempDir Path folder) throws IOException {
        Path status = Files.writeString(folder.resolve("status"), "VmHWM:  10 kB\n");
        Path clearRefs = Files.createFile(folder.resolve("clear_refs"));
        assertThat(run(new ProcessMemory(status, clearRefs))).allSatisfy(result -> {
            assertThat(result.peakRss()).hasValue(10_240);
            assertThat(result.peakRssScope()).isEqualTo(PeakScope.CACHE);
        });
        assertThat(run(new ProcessMemory(status, folder.resolve("none"))))
                .allSatisfy(result -> assertThat(result.peakRssScope()).isEqualTo(PeakScope.PROCESS));
        assertThat(run(NO_MEMORY)).allSatisfy(result -> {
            assertThat(result.peakRss()).isEmpty();
            assertThat(result.peakRssScope()).isEqualTo(PeakScope.UNKNOWN);
        });
    }

    @Test
    void refusesDepthsThatDoNotAscendOrDoNotFit() {
        assertThatThrownBy(() -> new SpeedOptions(1, List.of(5, 5), 1, 1, 1, 1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("ascend");
        assertThatThrownBy(() -> new SpeedOptions(1, List.of(), 1, 1, 1, 1)).isInstanceOf(InvalidInputException.class);
        SpeedOptions deep = new SpeedOptions(1, List.of(61), 4, 1, 1, 1);
        assertThatThrownBy(() -> new SpeedBench(model, deep))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("65")
                .hasMessageContaining("64");
    }
}
