package dev.demitasse.model.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    private static JsonNode reference() throws IOException {
        try (InputStream stream = ChatTemplateTest.class.getResourceAsStream("/chat/templates.json")) {
            return new ObjectMapper().readTree(stream);
        }
    }

    static Stream<Arguments> cases() throws IOException {
        JsonNode root = reference();
        List<Arguments> cases = new ArrayList<>();
        for (JsonNode template : root.path("templates")) {
            for (JsonNode each : template.path("cases")) {
                JsonNode conversation = root.path("conversations")
                        .path(each.path("conversation").asText());
                String name = "%s, %s, %s"
                        .formatted(
                                template.path("name").asText(),
                                each.path("conversation").asText(),
                                each.path("prompt").asText());
                cases.add(Arguments.of(name, template, conversation, each));
            }
        }
        return cases.stream();
    }

    /** The models' own templates, and one of what templates use, as Jinja renders them (templates.json names it). */
    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void rendersAsJinjaDoes(String name, JsonNode template, JsonNode conversation, JsonNode expected) {
        ChatTemplate chat = new ChatTemplate(
                name,
                template.path("template").asText(),
                Map.of(
                        "bos_token", template.path("bos").asText(),
                        "eos_token", template.path("eos").asText()));
        List<Message> messages = new ArrayList<>();
        conversation.forEach(turn -> messages.add(
                new Message(turn.path("role").asText(), turn.path("content").asText())));
        boolean prompt = expected.path("prompt").asBoolean();
        if (expected.has("error")) {
            assertThatThrownBy(() -> chat.render(messages, prompt))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining(expected.path("error").asText());
        } else {
            assertThat(chat.render(messages, prompt))
                    .isEqualTo(expected.path("text").asText());
        }
    }

    private static String render(String template) {
        return new ChatTemplate("tokenizer_config.json", template, Map.of())
                .render(List.of(new Message("user", "secret")), true);
    }

    /** Neither a class nor what interprets the template nor a file can be reached. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ ''.class }}",
                "{{ ''.getClass() }}",
                "{{ ''.class.forName('java.lang.Runtime') }}",
                "{{ messages.getClass().getName() }}",
                "{{ messages[0].__class__ }}",
                "{{ (1).class.protectionDomain }}",
                "{{ loop.class }}",
                "{% for m in messages %}{{ loop.class.name }}{{ loop.getClass() }}{% endfor %}",
                "{{ ____int3rpr3t3r____ }}",
                "{{ ____int3rpr3t3r____.context }}",
                "{{ ____int3rpr3t3r____.getConfig() }}",
                "{{ '____int3rpr3t3r____' | attr('config') }}",
                "{% set x = 'int3rpr3t3r' %}{{ context }}{{ self }}{{ request }}",
                "{{ messages | pprint }}",
                "{{ ''|render }}",
                "{% include '/etc/passwd' %}",
                "{% import '/etc/passwd' as p %}",
                "{% from '/etc/passwd' import p %}",
                "{% extends '/etc/passwd' %}",
                "{{ 'x' | fromyaml }}",
                "{{ messages.append({}) }}",
                "{{ messages[0].update({'role': 'x'}) }}",
                "{{ messages[0].clear() }}",
                "{{ 'java.lang.Runtime'|ipaddr }}",
                "{{ '{{ 1 + 1 }}' }}"
            })
    void reachesNothing(String template) {
        try {
            String text = render(template);
            assertThat(text).doesNotContain("java", "root:", "hubspot", "jinja", "Interpreter");
            assertThat(text.strip()).isIn("", "{{ 1 + 1 }}");
        } catch (DemitasseException e) {
            assertThat(e).hasMessageContaining("chat template");
        }
    }

    static Stream<String> hungry() {
        String loops = "{% for a in range(10000) %}".repeat(6) + "{% endfor %}".repeat(6);
        String text = "{% for a in range(10000) %}{% for b in range(10000) %}0123456789abcdef{% endfor %}{% endfor %}";
        String doubled = "{% set x = 'xxxxxxxxxxxxxxxx' %}" + "{% set x = x ~ x %}".repeat(60) + "{{ x }}";
        String added = "{% set x = 'xxxxxxxxxxxxxxxx' %}" + "{% set x = x + x %}".repeat(60) + "{{ x }}";
        String joined = "{% set x = [1, 2] %}" + "{% set x = x + x %}".repeat(60) + "{{ x | length }}";
        String replaced = "{% set x = 'aaaaaaaaaaaaaaaa' %}" + "{% set x = x.replace('a', x) %}".repeat(20) + "{{ x }}";
        String filtered =
                "{% set x = 'aaaaaaaaaaaaaaaa' %}" + "{% set x = x | replace('a', x) %}".repeat(20) + "{{ x }}";
        String macro = "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}";
        String parentheses = "{{ " + "(".repeat(50_000) + "1" + ")".repeat(50_000) + " }}";
        String lists = "{{ " + "[".repeat(50_000) + "]".repeat(50_000) + " }}";
        String blocks = "{% if true %}".repeat(10_000) + "{% endif %}".repeat(10_000);
        String range = "{{ range(1000000000) | length }}";
        String long_ = "x".repeat(1 << 20);
        String power = "{{ 9 ** 9 ** 9 ** 9 }}";
        String nested =
                "{% set x = [1, 2] %}" + "{% set x = [x, x] %}".repeat(60) + "{{ x }}{{ x | tojson }}{{ x == x }}";
        String bound =
                "{% set x = [[1, 1]] %}" + "{% for x in [[x, x]] %}".repeat(60) + "{{ x }}" + "{% endfor %}".repeat(60);
        return Stream.of(
                nested,
                bound,
                loops,
                text,
                doubled,
                added,
                joined,
                replaced,
                filtered,
                macro,
                parentheses,
                lists,
                blocks,
                range,
                long_,
                power);
    }

    /** Endless loops, texts that double, nesting without end: an answer or an error, soon, within the heap. */
    @ParameterizedTest
    @MethodSource("hungry")
    void isBounded(String template) {
        long start = System.nanoTime();
        try {
            assertThat(render(template)).hasSizeLessThan(1 << 25);
        } catch (DemitasseException e) {
            assertThat(e).hasMessageContaining("chat template");
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for %}",
                "{{ 1 + }}",
                "{% if true %}",
                "{% nonesuch %}",
                "{{ 'a' | nonesuch }}",
                "{{ nonesuch(1) }}",
                "{{ 'a'.nonesuch() }}",
                "{{ messages[0].content.format_map(1) }}",
                "{% for m in messages if m.role == 'user' %}{% endfor %}",
                "{% for m in messages %}{% else %}none{% endfor %}"
            })
    void whatIsBrokenIsTold(String template) {
        assertThatThrownBy(() -> render(template))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("tokenizer_config.json");
    }

    @Test
    void datesAreWrittenAsPythonWritesThem() {
        LocalDateTime time = LocalDateTime.of(2026, 3, 7, 15, 4, 5);
        assertThat(TemplateFunctions.format("%d %b %Y, %A %B %H:%M:%S 100%", time))
                .isEqualTo("07 Mar 2026, Saturday March 15:04:05 100%");
        assertThat(render("{{ strftime_now('%Y') }}")).matches("20\\d\\d");
    }
}
