package dev.kvasir.fuzz;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Chat templates: those of the test of the engine, and one that uses all it knows. */
final class TemplateSeeds {
    private static final List<String> FAMILIES = List.of(
            "chatml", "gemma", "llama2", "llama3", "macros", "mistral", "phi3", "qwen25", "qwen3", "smollm2", "zephyr");

    private static final String EVERYTHING = """
            {%- macro turn(m, sign='>') -%}{{ sign ~ m.role|upper }}: {{ m['content']|trim|replace('a', 'b') }}{%- endmacro -%}
            {% set ns = namespace(n=0, last='') %}
            {% for m in messages if m.role != 'system' %}
            {{ turn(m, sign='#') }}{{ loop.index0 }}/{{ loop.length }}{% if loop.last %}!{% elif loop.first %}?{% else %},{% endif %}
            {% set ns.n = ns.n + 1 %}{% set ns.last = m.content[:2] + m['content'][::-1] %}
            {% if ns.n > 3 %}{% break %}{% else %}{% continue %}{% endif %}
            {% else %}none{% endfor %}
            {{ messages|map(attribute='role')|list|join(', ') }} {{ messages|selectattr('role', 'equalto', 'user')|list|length }}
            {{ messages[0]|tojson(indent=2) }} {{ {'a': 1, 'b': [1, 2.5, none, true]}|dictsort|string }}
            {% filter upper %}x{% endfilter %}{% set text %}a{{ 7 // 2 ** 2 % 3 - -1 }}{% endset %}{{ text|indent(2) }}
            {{ 'a,b'.split(',')[-1].startswith('b') and not 'x' in 'xyz' or 3 is odd }} {{ range(1, 9, 3)|sum }}
            {{ raise_exception('no') if messages is not defined else strftime_now('%d %b %Y') }}
            {% raw %}{{ {% endraw %}{# a comment #}{{ x|default('d')|capitalize }}{{ [3, 1, 2]|sort|first + [1]|max }}
            {% for k, v in {'a': 1}.items() %}{{ k }}={{ v|float|round(1)|int|abs }}{% endfor %}{{ bos_token * 3 }}
            """;

    private TemplateSeeds() {}

    static Map<String, byte[]> templates() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        for (String family : FAMILIES) {
            try (InputStream in =
                    TemplateSeeds.class.getResourceAsStream("/dev/kvasir/chat/jinja/" + family + ".jinja")) {
                if (in != null) {
                    seeds.put(family, in.readAllBytes());
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        seeds.put("everything", EVERYTHING.getBytes(StandardCharsets.UTF_8));
        return seeds;
    }

    static Map<String, byte[]> configs() {
        return Map.of(
                "text", """
                {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": "{{ bos_token }}{{ messages[0].content }}"}
                """.getBytes(StandardCharsets.UTF_8),
                "several", """
                {"bos_token": null, "eos_token": "</s>", "chat_template": [{"name": "tools", "template": "{{ x"},
                 {"name": "default", "template": "{% for m in messages %}{{ m.role }}{{ eos_token }}{% endfor %}"}]}
                """.getBytes(StandardCharsets.UTF_8));
    }
}
