package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RegexCheckTest {
    @ParameterizedTest
    @EnumSource
    void allowsTheCutsThatModelsUse(PreTokenizer cut) {
        cut.patterns()
                .forEach(pattern -> assertThatCode(() -> RegexCheck.check(pattern))
                        .as(pattern)
                        .doesNotThrowAnyException());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a",
                " ",
                "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}]*[\\p{Ll}\\p{Lm}]+(?i:'s|'t|'re)?",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
                "['\u2019](?:s|t|re|ve|m|ll|d)(?![\\p{L}\\p{M}])| ?[\\p{L}\\p{M}]+|[^\\S\\r\\n]+(?!\\S)",
                "[]a]+",
                "\\x{41}+?",
                "a++",
                "(?>a+)b",
                "{a}",
                "(ab){3}",
            })
    void allows(String regex) {
        assertThatCode(() -> RegexCheck.check(regex)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a|aa)+$",
                "(x+x+)+y",
                "(a*)*",
                "(a?){40}",
                "(?:a{1,3})+",
                "(?:(?:a|b)c)*",
                "a*a*b",
                "a*a*a*",
                "a*(?:a*b)",
                "a*(?:x|a*)b",
                "a{0,1000}a{0,1000}b",
                "a{9,}a*c",
                "a**",
                "a{2}{3}",
                "a{1,3}+",
                "a*(?=a*b)",
                "(a)\\1",
                "(?<n>a)",
                "(?<n>a\\g<n>?)",
                "\\X+",
                "(?(1)a|b)",
                "(?~a)",
                "(?#x)",
                "(*FAIL)",
                "*",
                "(",
                ")",
                "[a",
                "[a[b]",
                "\\",
                "\\p{L",
            })
    void refuses(String regex) {
        assertThatThrownBy(() -> RegexCheck.check(regex))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("which is not allowed");
    }

    @Test
    void boundsLengthAndDepth() {
        assertThatThrownBy(() -> RegexCheck.check("a".repeat(5000))).hasMessageContaining("at most 4096");
        assertThatThrownBy(() -> RegexCheck.check("(".repeat(1000))).hasMessageContaining("groups deeper than 16");
    }
}
