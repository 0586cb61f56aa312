package dev.kvasir;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class KvasirExceptionTest {
    @Test
    void spellsOutWhatWouldDisturbATerminal() {
        assertThat(new KvasirException("tensor a\nb\u001b[2J\u2028\u0085 is missing"))
                .hasMessage("tensor a\\u000ab\\u001b[2J\\u2028\\u0085 is missing");
        assertThat(new InvalidFileException(Path.of("m"), "key \r", new IllegalStateException()))
                .hasMessage("m: key \\u000d");
    }

    @Test
    void leavesOtherTextsAsTheyAre() {
        assertThat(new KvasirException("\u00e9 \u65e5\u672c \ud83d\ude00 \"x\""))
                .hasMessage("\u00e9 \u65e5\u672c \ud83d\ude00 \"x\"");
    }
}
