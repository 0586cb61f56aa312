package dev.kvasir.tokenizer;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.format.JsonFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * Refuses parts of a {@code tokenizer.json} on which the native library ends the whole process instead of failing, or for
 * which it takes memory without bound. Checked are the steps
 * of text before the vocabulary and after it.
 */
final class PipelineCheck {
    private static final Set<String> NORMALIZERS =
            Set.of("ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence");
    private static final Set<String> PRE_TOKENIZERS = Set.of(
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Digits",
            "Metaspace",
            "Punctuation",
            "Sequence",
            "Split",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit");
    private static final Set<String> POST_PROCESSORS =
            Set.of("BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing");
    private static final int MAX_DEPTH = 8;
    private static final int MAX_STEPS = 32;
    /** Times that a text may become longer: replaced blanks, and bytes spelled as characters, are 6. */
    private static final long MAX_GROWTH = 64;

    private final Path file;
    private int steps;
    private long growth = 1;

    private PipelineCheck(Path file) {
        this.file = file;
    }

    /**
     * The parts of a file.
     *
     * @param normalizer and the others: a null node where the file has no such part
     */
    record Parts(JsonNode normalizer, JsonNode preTokenizer, JsonNode postProcessor, JsonNode decoder) {}

    static void check(Path file, Parts parts) {
        PipelineCheck check = new PipelineCheck(file);
        check.sound("normalizer", parts.normalizer());
        check.sound("pre_tokenizer", parts.preTokenizer());
        check.sound("post_processor", parts.postProcessor());
        check.sound("decoder", parts.decoder());
        check.part("normalizer", "normalizers", parts.normalizer(), NORMALIZERS, 0);
        check.part("pre_tokenizer", "pretokenizers", parts.preTokenizer(), PRE_TOKENIZERS, 0);
        check.part("post_processor", "processors", parts.postProcessor(), POST_PROCESSORS, 0);
        check.decoder(parts.decoder(), 0);
    }

    /** Refuses numbers and texts that the library's reader of JSON does not take: within these parts it does not report them. */
    private void sound(String name, JsonNode node) {
        if (node.isNumber() && !Double.isFinite(node.doubleValue())) {
            throw new InvalidFileException(file, name + " has a number that is too large");
        }
        if (node.isString()) {
            requireText(name, node.stringValue());
        }
        node.properties().forEach(property -> requireText(name, property.getKey()));
        node.forEach(inner -> sound(name, inner));
    }

    private void requireText(String name, String text) {
        boolean half = text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        if (half) {
            throw new InvalidFileException(file, name + " has a text with half a surrogate pair");
        }
    }

    private void part(String name, String inner, JsonNode node, Set<String> known, int depth) {
        if (depth == 0 && node.isNull()) {
            return;
        }
        String type = node.path("type").asString("");
        if (!known.contains(type)) {
            throw new InvalidFileException(
                    file,
                    name + " must have a type of " + String.join(", ", new TreeSet<>(known)) + ", found "
                            + JsonFile.describe(node.path("type")));
        }
        count(name, depth);
        switch (type) {
            case "Sequence" -> node.path(inner).forEach(step -> part(name, inner, step, known, depth + 1));
            case "Replace" -> replace(name, node);
            case "Split" -> pattern(name, node.path("pattern"));
            case "ByteLevel" -> grow(name, name.equals("post_processor") ? 1 : 2);
            case "Metaspace" -> grow(name, bytes(node.path("replacement")));
            case "Prepend" -> grow(name, 1 + bytes(node.path("prepend")) / 8);
            default -> {}
        }
    }

    /** A step before the vocabulary that replaces; by nothing, it could leave an added token without a spelling. */
    private void replace(String name, JsonNode node) {
        int found = pattern(name, node.path("pattern"));
        int content = bytes(node.path("content"));
        if (content == 0) {
            throw new InvalidFileException(file, name + " must not replace by nothing");
        }
        grow(name, found == 0 ? content + 1 : (content + found - 1) / found);
    }

    private void decoder(JsonNode node, int depth) {
        if (depth == 0 && node.isNull()) {
            return;
        }
        count("decoder", depth);
        switch (node.path("type").asString("")) {
            case "Sequence" -> node.path("decoders").forEach(step -> decoder(step, depth + 1));
            case "Replace" -> {
                int found = pattern("decoder", node.path("pattern"));
                int content = bytes(node.path("content"));
                grow("decoder", found == 0 ? content + 1 : Math.max(1, (content + found - 1) / found));
            }
            case "Strip" -> {
                // A token shorter than what is cut off its end is read beyond its start.
                if (!node.path("stop").isIntegralNumber()
                        || !node.path("stop").asString("").equals("0")) {
                    throw new InvalidFileException(
                            file, "decoder Strip must have a stop of 0, found " + JsonFile.describe(node.path("stop")));
                }
            }
            default -> {}
        }
    }

    /** Checks a pattern and gives its bytes, 0 where it is a regular expression, which may match nothing. */
    private int pattern(String name, JsonNode pattern) {
        if (pattern.path("Regex").isString() && pattern.size() == 1) {
            try {
                RegexCheck.check(pattern.path("Regex").stringValue());
            } catch (InvalidInputException e) {
                throw new InvalidFileException(file, name + ": Regex " + e.getMessage(), e);
            }
            return 0;
        }
        if (!pattern.path("String").isString() || pattern.size() != 1) {
            throw new InvalidFileException(
                    file,
                    name + ": pattern must be an object of a Regex or a String, found " + JsonFile.describe(pattern));
        }
        return bytes(pattern.path("String"));
    }

    private static int bytes(JsonNode text) {
        return text.asString("").getBytes(StandardCharsets.UTF_8).length;
    }

    private void grow(String name, int times) {
        growth *= Math.max(1, times);
        if (growth > MAX_GROWTH) {
            throw new InvalidFileException(
                    file, name + " makes texts more than the allowed " + MAX_GROWTH + " times as long");
        }
    }

    private void count(String name, int depth) {
        if (depth > MAX_DEPTH || ++steps > MAX_STEPS) {
            throw new InvalidFileException(
                    file,
                    name + " has more than the allowed " + MAX_STEPS + " steps, or nests deeper than " + MAX_DEPTH);
        }
    }
}
