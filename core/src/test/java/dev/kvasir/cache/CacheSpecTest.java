package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CacheSpecTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 64);

    @Test
    void parsesNamesOptionsAndNestedSpecs() {
        CacheSpec spec = CacheSpec.parse(
                " kvcrush ( base = snapkv , keep=0.25,store = kivi( bits=4 ,group = 32), file=\"a b,(\\\"c\\\")\" ) ");
        assertThat(spec.method()).isEqualTo("kvcrush");
        assertThat(spec.options())
                .isEqualTo(Map.of(
                        "base", "snapkv", "keep", "0.25", "store", "kivi(bits=4, group=32)", "file", "a b,(\"c\")"));
        assertThat(spec)
                .hasToString("kvcrush(base=snapkv, keep=0.25, store=kivi(bits=4, group=32), file=\"a b,(\\\"c\\\")\")");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact",
                "exact(f16)",
                "kivi(bits=2, group=32)",
                "a(b=c(d=e(f=g)))",
                "a(\"x y\", b=\"\")",
                "a(b=q\\)",
                "kvquant(file=/tmp/x.safetensors)",
                "a(b=\"kivi(bits=2\")",
                "a(\"\u001f\", b=\"\u2003x\")"
            })
    void canonicalTextParsesToTheSameSpec(String text) {
        CacheSpec spec = CacheSpec.parse(text);
        assertThat(spec).hasToString(text);
        assertThat(CacheSpec.parse(spec.toString())).isEqualTo(spec);
    }

    @Test
    void emptyParenthesesAreNoOptions() {
        assertThat(CacheSpec.parse("kivi( )")).isEqualTo(CacheSpec.parse("kivi"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "~~|1|a method's name",
                "kivi(|6|a value",
                "kivi(bits=|11|a value",
                "kivi(bits=2|12|',' or ')'",
                "kivi(bits=2,)|13|name=value",
                "kivi)|5|the end",
                "kivi(bits=2) x|14|the end",
                "2kivi|1|a method's name",
                "kivi(group=\"3|12|closing quote",
                "kivi(bits=2, bits=4)|14|once",
                "kivi(bits=2, 4)|14|name=value",
                "kivi(b s=2)|8|',' or ')'",
                "kivi(=2)|6|option's name"
            })
    void saysWhereItFailsAndWhatItExpected(String text, int column, String expected) {
        assertThatThrownBy(() -> CacheSpec.parse(text))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("column " + column + ":")
                .hasMessageContaining(expected);
    }

    @Test
    void nestingHasAnEnd() {
        assertThatThrownBy(() -> CacheSpec.parse("a(b=".repeat(100_000)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("inside each other");
    }

    @Test
    void randomTextIsASpecOrAClearError() {
        Random random = new Random(3);
        String alphabet = "ab1(),= \"\\-";
        for (int trial = 0; trial < 20_000; trial++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(14); i >= 0; i--) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            try {
                CacheSpec spec = CacheSpec.parse(text.toString());
                assertThat(CacheSpec.parse(spec.toString())).as(text.toString()).isEqualTo(spec);
            } catch (InvalidInputException e) {
                assertThat(e).hasMessageContaining("column");
            }
        }
    }

    @Test
    void aCacheKnowsItsWholeSpec() {
        assertThat(canonical("exact(f16)")).isEqualTo("exact(dtype=f16)");
        assertThat(canonical("block(v=q4_0)")).isEqualTo("block(type=q8_0, k=q8_0, v=q4_0, rotate=false)");
        assertThat(canonical("gear(bits=4)"))
                .isEqualTo(
                        "gear(variant=gear-l, bits=4, k_bits=4, v_bits=4, backbone=auto, group=64, quantizer=min_max,"
                                + " rank=4, decode_rank=2, sparsity=0.02, loop=3, buffer=64, dtype=f16)");
        assertThat(canonical("kivi(v_bits=8, bits=4)"))
                .isEqualTo("kivi(bits=4, k_bits=4, v_bits=8, group=32, residual=128, dtype=f16, k_axis=channel,"
                        + " v_axis=token)");
    }

    private static String canonical(String text) {
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(text), SHAPE, pool, Steps.sequential())) {
            assertThat(Caches.complete(cache.spec())).isEqualTo(cache.spec());
            return cache.spec().toString();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "kivvi|did you mean kivi?",
                "blok(q4_0)|did you mean block?",
                "rnn|There are: exact, kivi, block",
                "kivi(bit=2)|did you mean bits?",
                "kivi(resid=2)|There are: bits, k_bits",
                "kivi(bits=3)|allowed: 2, 4, 8",
                "kivi(group=48)|allowed: 16, 32, 64, 128",
                "exact(f64)|allowed: f32, bf16, f16",
                "kivi(128)|takes no value without a name",
                "exact(f16, dtype=f16)|given twice",
                "kivi(residual=-1)|allowed: multiples",
                "kivi(residual=99999999999)|allowed: multiples",
                "kivi(group=128)|does not divide the head's 64 channels",
                "kivi(residual=40)|not a multiple of 32",
                "kivi(residual=32, group=64)|not a multiple of 32 and of group=64",
                "kivi(residual=0)|k_axis=token",
                "block(rotate=yes)|allowed: true, false"
            })
    void saysWhatIsWrongWithASpec(String text, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> Caches.create(CacheSpec.parse(text), SHAPE, pool, Steps.sequential()))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem)
                    .hasMessageNotContaining("\n");
        }
    }

    @Test
    void blocksNeedHeadsOf32Channels() {
        CacheShape shape = new CacheShape(1, 1, 1, 80, 80);
        assertThatThrownBy(() -> Caches.estimateBytes(CacheSpec.parse("block"), shape, 1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("80 channels");
    }

    @Test
    void everyMethodIsDescribed() {
        assertThat(Caches.describe()).extracting(CacheMethod::name).containsExactlyElementsOf(Caches.methods());
        for (CacheMethod method : Caches.describe()) {
            assertThat(method.summary()).isNotBlank();
            assertThat(method.source()).isNotBlank();
            assertThat(method.options())
                    .allSatisfy(option -> assertThat(option.meaning()).isNotBlank());
        }
    }
}
