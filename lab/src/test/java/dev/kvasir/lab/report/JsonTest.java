package dev.kvasir.lab.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.lab.compare.ComparisonResult;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class JsonTest {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    @Test
    void perplexityHasTheKeysOfTheCommand() {
        JsonNode json = read(Results.typical().rows().get(6).quality());
        assertThat(json.propertyNames())
                .containsExactly(
                        "cache",
                        "nll",
                        "ppl",
                        "kld",
                        "top1",
                        "tokens",
                        "bitsPerElement",
                        "cacheBytes",
                        "nllStandardError",
                        "kldMedian",
                        "kldP99",
                        "kldMax",
                        "windows");
        assertThat(json.get("kld").asDouble()).isEqualTo(0.031);
        assertThat(json.get("tokens").asLong()).isEqualTo(2046);
    }

    @Test
    void comparisonHasARowPerCacheWithQualityTasksAndSpeed() {
        JsonNode json = read(Results.typical());
        assertThat(json.propertyNames())
                .containsExactly(
                        "model", "machine", "date", "seconds", "seed", "text", "context", "prefill", "rows", "skipped");
        JsonNode row = json.get("rows").get(0);
        assertThat(row.propertyNames())
                .containsExactly(
                        "cache", "reference", "bytesPerToken", "quality", "tasks", "accuracy", "lastTurn", "speed");
        assertThat(row.at("/tasks/0").propertyNames()).containsExactly("task", "cache", "answers", "samples", "turns");
        assertThat(row.at("/accuracy").propertyNames()).containsExactly("successes", "trials", "share", "low", "high");
        assertThat(row.at("/speed").propertyNames())
                .containsExactly(
                        "cache", "prefillTokens", "prefill", "prefillRatio", "depths", "peakRss", "peakRssScope");
        assertThat(row.at("/speed/depths/0").propertyNames())
                .containsExactly("depth", "decode", "ratio", "cacheBytes", "bitsPerElement");
        assertThat(row.at("/speed/prefill").propertyNames()).containsExactly("median", "min", "max", "count");
    }

    @Test
    void whatIsAbsentHasNoKey() {
        var row = Results.typical().rows().getFirst();
        var silent = new ComparisonResult.Row(
                row.cache(),
                true,
                row.bytesPerToken(),
                row.quality(),
                List.of(),
                Optional.empty(),
                Optional.empty(),
                row.speed());
        assertThat(read(silent).has("accuracy")).isFalse();
        assertThat(read(silent).get("tasks").isEmpty()).isTrue();
    }

    private static JsonNode read(Object result) {
        return MAPPER.readTree(Json.write(result));
    }
}
