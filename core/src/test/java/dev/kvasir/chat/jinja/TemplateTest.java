package dev.kvasir.chat.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.format.JsonFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Expected texts beside the templates are what Jinja2 3.1.6 gives with the settings of Hugging Face's library. */
class TemplateTest {
    private static final ZonedDateTime NOW = ZonedDateTime.of(2026, 11, 24, 13, 5, 9, 0, ZoneOffset.UTC);

    private static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(TemplateTest.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Object plain(JsonNode node) {
        if (node.isObject()) {
            Map<String, Object> map = new LinkedHashMap<>();
            node.properties().forEach(e -> map.put(e.getKey(), plain(e.getValue())));
            return map;
        }
        if (node.isArray()) {
            List<Object> list = new ArrayList<>();
            node.forEach(e -> list.add(plain(e)));
            return list;
        }
        return node.isString()
                ? node.stringValue()
                : node.isBoolean() ? (Object) node.booleanValue() : node.longValue();
    }

    @SuppressWarnings("unchecked") // The file's values are objects.
    private static Map<String, Object> conversation(String name) throws IOException {
        return (Map<String, Object>)
                plain(JsonFile.MAPPER.readTree(resource("conversations.json")).get(name));
    }

    static Stream<Arguments> templatesAndConversations() {
        return Stream.of(
                        "chatml", "llama2", "llama3", "mistral", "qwen25", "qwen3", "gemma", "phi3", "zephyr",
                        "smollm2", "macros")
                .flatMap(t -> Stream.of("plain", "sys", "nogen", "bad", "tools").map(c -> Arguments.of(t, c)));
    }

    @ParameterizedTest
    @MethodSource("templatesAndConversations")
    void rendersAsJinja2(String template, String conversation) throws IOException {
        String expected = resource(template + "." + conversation + ".txt");
        Template parsed = Template.parse(resource(template + ".jinja"));
        if (expected.equals("ERROR")) {
            assertThatThrownBy(() -> parsed.render(conversation(conversation), NOW))
                    .isInstanceOf(TemplateException.class)
                    .hasMessageStartingWith("line ")
                    .hasMessageContaining("role");
        } else {
            assertThat(parsed.render(conversation(conversation), NOW)).isEqualTo(expected);
        }
    }

    private static String render(String template) {
        return Template.parse(template)
                .render(Map.of("x", List.of("a", "b", "c"), "s", " ab ", "m", Map.of("k", 1)), NOW);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "{{ x[1:]|join('-') }};b-c",
                "{{ x[::-1]|join }};cba",
                "{{ x[-2] }};b",
                "{{ s.strip().upper() }};AB",
                "{{ 'a.b.c'.rsplit('.', 1) }};['a.b', 'c']",
                "{{ m.k + 2 ** 3 * 2 }};17",
                "{{ -7 // 2 }} {{ -7 % 3 }};-4 2",
                "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }};True False",
                "{{ 'b' in x and 'z' not in x }};True",
                "{{ m|tojson }} {{ x|tojson }};{\"k\": 1} [\"a\", \"b\", \"c\"]",
                "{{ y is defined }} {{ y|default('d') }};False d",
                "{{ strftime_now('%d %b %Y %H:%M') }};24 Nov 2026 13:05",
                "{% for a in x if a != 'b' %}{{ loop.index }}{{ a }}{{ ',' if not loop.last }}{% endfor %};1a,2c",
                "{% set n = namespace(i=x|length - 1) %}{% for a in x %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }};5",
                "{% set v = 1 %}{% for a in x %}{% set v = 2 %}{% endfor %}{{ v }};1",
                "{{ 1e20 }} {{ 0.1 + 0.2 }} {{ 4 / 2 }};1e+20 0.30000000000000004 2.0",
                "{% raw %}{{ x }}{% endraw %};{{ x }}",
                "{{ 'a' ~ 1 ~ none }};a1None",
            })
    void means(String template, String expected) {
        assertThat(render(template)).isEqualTo(expected);
    }

    @Test
    void dropsBlanksAndNewLinesAroundBlocks() {
        assertThat(render("a\n  {% if x %}\n  b\n  {%- endif %}\n c {{- 'd' -}}  \n e\n"))
                .isEqualTo("a\n  b c" + "de");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for i in range(1000000000) %}{% endfor %}",
                "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
                "{{ 'x' * 9999999999 }}",
                "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                "{{ 9 ** 999999999 }}",
                "{{ x.__class__.mro() }}",
                "{{ ''.getClass().forName('java.lang.Runtime') }}",
                "{{ x|attr('class') }}",
                "{% include '/etc/passwd' %}",
                "{{ nothing.at.all }}",
                "{{ raise_exception('no') }}",
                "{% set n = namespace(a=[]) %}{% for i in range(9999) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a }}",
                "{% set n = namespace(a=[]) %}{% for i in range(9999) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a|tojson }}",
                "{% set n = namespace(a=[]) %}{% for i in range(9999) %}{% set n.a = [n.a] %}{% endfor %}{{ {n.a: 1} }}",
                "{% set n = namespace(a=[1]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}",
                "{% set n = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
                        + "{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}",
                "{% set n = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
                        + "{% set n.b = [n.b, n.b] %}{% endfor %}{{ [n.a, n.b]|max }}",
                "{{ ('a' * 9000000)|list }}",
                "{{ ('\n' * 9000000).splitlines() }}",
                "{% set a = 'a' * 60000 %}{% set b = 'a' * 30000 + 'b' %}{% for i in range(9999) %}{{ b in a }}{% endfor %}",
            })
    void hostileTemplatesEndInOneLine(String template) {
        assertThatThrownBy(() -> render("\n\n" + template))
                .isInstanceOf(TemplateException.class)
                .hasMessageMatching("line [34]: .*")
                .hasMessageNotContaining("\n");
    }

    @Test
    void deepNestingIsNoStackOverflow() {
        for (String open : List.of("(", "[", "{1:", "-", "not ", "x if ", "x[", "x|f(", "{% if x %}")) {
            String template = open.startsWith("{%") ? open.repeat(10_000) : "{{ " + open.repeat(100_000);
            assertThatThrownBy(() -> render(template)).isInstanceOf(TemplateException.class);
        }
    }

    @Test
    void looksForADeepListInAMappingWithoutItsHash() {
        String deep = "{% set n = namespace(a=[]) %}{% for i in range(9999) %}{% set n.a = [n.a] %}{% endfor %}";

        assertThat(render(deep + "{{ n.a in m }} {{ m.get(n.a, 7) }}")).isEqualTo("False 7");
    }

    @Test
    void longChainsAreNoStackOverflow() {
        for (String link :
                List.of(".k", "[0]", "|trim", " + 1", " ~ 1", " * 1", " or x", " and x", " is defined", "()")) {
            String template = "{{ x" + link.repeat(100_000) + " }}";
            assertThatThrownBy(() -> render(template)).as(link).isInstanceOf(TemplateException.class);
        }
        assertThatThrownBy(() -> render("{{ 'a'|map(" + "'map', ".repeat(100_000) + "'list')|list }}"))
                .isInstanceOf(TemplateException.class);
    }

    @Test
    void longNumbersAreNoStackOverflow() {
        assertThatThrownBy(() -> render("{{ 1" + "_1".repeat(100_000) + " }}")).isInstanceOf(TemplateException.class);
        assertThat(render("{{ 1_000 + 1_0.5 }}")).isEqualTo("1010.5");
    }

    @Test
    void changedTemplatesRenderOrEndInOneLine() throws IOException {
        Random random = new Random(5);
        Map<String, Object> variables = conversation("tools");
        for (String name : List.of("llama3", "mistral", "qwen3", "macros")) {
            String whole = resource(name + ".jinja");
            for (int round = 0; round < 300; round++) {
                StringBuilder changed = new StringBuilder(whole);
                for (int i = random.nextInt(3); i >= 0; i--) {
                    int at = random.nextInt(changed.length());
                    changed.replace(
                            at,
                            at + random.nextInt(3),
                            String.valueOf("{}%-|.()[]'\"a0 ,:=\n".charAt(random.nextInt(19))));
                }
                try {
                    Template.parse(changed.toString()).render(variables, NOW);
                } catch (TemplateException e) {
                    assertThat(e.getMessage()).startsWith("line ").doesNotContain("\n");
                }
            }
        }
    }
}
