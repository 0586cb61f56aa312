package dev.kvasir.chat;

import dev.kvasir.InvalidFileException;
import dev.kvasir.chat.jinja.Template;
import dev.kvasir.chat.jinja.TemplateException;
import dev.kvasir.format.JsonFile;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufMetadata;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/**
 * The chat template that comes with a model: {@code chat_template.jinja}, {@code chat_template} of {@code
 * tokenizer_config.json}, or {@code tokenizer.chat_template} of a GGUF file.
 */
public final class ChatTemplate {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String FILE = "chat_template.jinja";
    private static final String KEY = "tokenizer.chat_template";
    private static final long MAX_BYTES = 64L << 20;

    private final Path file;
    private final Template template;
    private final Map<String, String> tokens;

    private ChatTemplate(Path file, String source, Map<String, String> tokens) {
        this.file = file;
        this.tokens = tokens;
        try {
            this.template = Template.parse(source);
        } catch (TemplateException e) {
            throw problem(e);
        }
    }

    /**
     * The template of a model folder or GGUF file; empty if it comes with none.
     *
     * @throws InvalidFileException if there is one that cannot be read; the message names the template's line
     */
    public static Optional<ChatTemplate> of(Path model) {
        return Files.isDirectory(model)
                ? ofFolder(model)
                : ofGguf(GgufFile.open(model).metadata());
    }

    private static Optional<ChatTemplate> ofFolder(Path folder) {
        Path config = folder.resolve(CONFIG);
        JsonNode node =
                Files.exists(config) ? JsonFile.readObject(config, MAX_BYTES) : JsonFile.MAPPER.createObjectNode();
        Map<String, String> tokens =
                Map.of("bos_token", token(node.path("bos_token")), "eos_token", token(node.path("eos_token")));
        Path alone = folder.resolve(FILE);
        if (Files.exists(alone)) {
            String source = new String(JsonFile.readBytes(alone, MAX_BYTES), StandardCharsets.UTF_8);
            return Optional.of(new ChatTemplate(alone, source, tokens));
        }
        return source(config, node.path("chat_template")).map(source -> new ChatTemplate(config, source, tokens));
    }

    private static Optional<String> source(Path config, JsonNode template) {
        if (template.isMissingNode() || template.isNull()) {
            return Optional.empty();
        }
        if (template.isString()) {
            return Optional.of(template.stringValue());
        }
        for (JsonNode named : template) {
            if (named.path("name").asString("").equals("default")
                    && named.path("template").isString()) {
                return Optional.of(named.path("template").stringValue());
            }
        }
        throw new InvalidFileException(
                config,
                "chat_template must be a text, or a list with one named default, found " + JsonFile.describe(template));
    }

    /** A token is written as its text, or as an object that holds it. */
    private static String token(JsonNode node) {
        return node.isObject() ? node.path("content").asString("") : node.asString("");
    }

    private static Optional<ChatTemplate> ofGguf(GgufMetadata metadata) {
        if (!metadata.has(KEY)) {
            return Optional.empty();
        }
        List<String> all = metadata.texts("tokenizer.ggml.tokens").orElse(List.of());
        Map<String, String> tokens = Map.of(
                "bos_token", token(metadata, "tokenizer.ggml.bos_token_id", all),
                "eos_token", token(metadata, "tokenizer.ggml.eos_token_id", all));
        return Optional.of(new ChatTemplate(metadata.path(), metadata.requiredText(KEY), tokens));
    }

    private static String token(GgufMetadata metadata, String key, List<String> all) {
        OptionalInt id = all.isEmpty() ? OptionalInt.empty() : metadata.integer(key, 0, all.size() - 1);
        return id.isPresent() ? all.get(id.getAsInt()) : "";
    }

    /** The token that the configuration names as the end of a text; empty if it names none. */
    public String endToken() {
        return tokens.getOrDefault("eos_token", "");
    }

    /**
     * The text of a conversation.
     *
     * @param answerNext whether the text ends where the model's next answer begins
     * @throws InvalidFileException if the template refuses the conversation or fails; the message names its line
     */
    public String render(List<Message> messages, boolean answerNext) {
        List<Map<String, String>> turns = messages.stream()
                .map(m -> Map.of("role", m.role(), "content", m.content()))
                .toList();
        try {
            return template.render(
                    Map.of(
                            "messages",
                            turns,
                            "add_generation_prompt",
                            answerNext,
                            "bos_token",
                            tokens.getOrDefault("bos_token", ""),
                            "eos_token",
                            endToken()),
                    ZonedDateTime.now(ZoneId.systemDefault()));
        } catch (TemplateException e) {
            throw problem(e);
        }
    }

    /**
     * What the template writes after an answer, up to the next turn; empty if it cannot be told. It begins with the token
     * by which the model ends its turn.
     */
    public String afterAnswer() {
        String answer = "kvasir-answer";
        try {
            String text = render(List.of(Message.user("?"), Message.assistant(answer)), false);
            int at = text.lastIndexOf(answer);
            return at < 0 ? "" : text.substring(at + answer.length());
        } catch (InvalidFileException e) {
            return "";
        }
    }

    private InvalidFileException problem(TemplateException e) {
        return new InvalidFileException(file, "chat template, " + e.getMessage(), e);
    }
}
