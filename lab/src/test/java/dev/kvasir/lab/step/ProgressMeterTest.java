package dev.kvasir.lab.step;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressMeterTest {
    @Test
    void countsFromZeroToTheTotal() {
        List<String> seen = new ArrayList<>();
        ProgressMeter meter = new ProgressMeter(
                (phase, unit, done, total, rate) -> seen.add(phase + " " + done + "/" + total + " " + unit),
                "reading",
                "tokens",
                5);
        meter.advance(2);
        meter.advance(3);
        assertThat(seen).containsExactly("reading 0/5 tokens", "reading 2/5 tokens", "reading 5/5 tokens");
    }
}
