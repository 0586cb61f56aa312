package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * The checked JSON header of a safetensors file.
 *
 * @param metadata the {@code __metadata__} texts
 * @param tensors by name, in the order of their data
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> tensors) {
    /** Key of the metadata among the tensors' names. */
    static final String METADATA = "__metadata__";

    /** The most bytes a header may have, as in the reference implementation. */
    static final long MAX_BYTES = 100_000_000;

    /** A tensor and the bytes it has after the header: from {@code begin} up to {@code end}. */
    record Entry(TensorInfo info, long begin, long end) {}

    /** Checks {@code json} against a data section of {@code dataBytes}, which the tensors must fill without gaps. */
    static SafetensorsHeader parse(Path file, byte[] json, long dataBytes) {
        if (json.length == 0 || json[0] != '{') {
            throw new InvalidFileException(file, "header does not start with '{': not a safetensors file");
        }
        Map<String, String> metadata = Map.of();
        List<Entry> entries = new ArrayList<>();
        for (var property : JsonFile.parseObject(file, "header", json).properties()) {
            if (property.getKey().equals(METADATA)) {
                metadata = metadata(file, property.getValue());
            } else {
                entries.add(entry(file, property.getKey(), property.getValue()));
            }
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        requireContiguous(file, entries, dataBytes);
        Map<String, Entry> byName = new LinkedHashMap<>();
        entries.forEach(e -> byName.put(e.info().name(), e));
        return new SafetensorsHeader(metadata, Collections.unmodifiableMap(byName));
    }

    private static Map<String, String> metadata(Path file, JsonNode node) {
        if (!node.isObject()) {
            throw new InvalidFileException(
                    file, METADATA + " must be an object of texts, found " + JsonFile.describe(node));
        }
        Map<String, String> texts = new LinkedHashMap<>();
        for (var property : node.properties()) {
            if (!property.getValue().isString()) {
                throw new InvalidFileException(
                        file,
                        METADATA + "." + property.getKey() + " must be a text, found "
                                + JsonFile.describe(property.getValue()));
            }
            texts.put(property.getKey(), property.getValue().stringValue());
        }
        return Collections.unmodifiableMap(texts);
    }

    private static Entry entry(Path file, String name, JsonNode node) {
        String tensor = "tensor " + name;
        if (!node.isObject()) {
            throw new InvalidFileException(file, tensor + " must be an object, found " + JsonFile.describe(node));
        }
        ElementType type = type(file, tensor, node.path("dtype"));
        List<Long> shape = naturals(file, tensor + ": shape", node.path("shape"));
        List<Long> offsets = naturals(file, tensor + ": data_offsets", node.path("data_offsets"));
        if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
            throw new InvalidFileException(
                    file, tensor + ": data_offsets must be [begin, end] with begin <= end, found " + offsets);
        }
        TensorInfo info;
        try {
            info = new TensorInfo(name, type, shape);
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(file, tensor + ": " + e.getMessage(), e);
        }
        long found = offsets.get(1) - offsets.get(0);
        if (found != info.bytes()) {
            throw new InvalidFileException(
                    file,
                    tensor + ": data_offsets span " + found + " bytes, " + type + " " + info.shapeText() + " needs "
                            + info.bytes());
        }
        return new Entry(info, offsets.get(0), offsets.get(1));
    }

    private static ElementType type(Path file, String tensor, JsonNode node) {
        if (node.isString()) {
            for (ElementType type : ElementType.values()) {
                if (type.name().equals(node.stringValue())) {
                    return type;
                }
            }
        }
        throw new InvalidFileException(
                file,
                tensor + ": dtype must be one of " + List.of(ElementType.values()) + ", found "
                        + JsonFile.describe(node));
    }

    private static List<Long> naturals(Path file, String what, JsonNode node) {
        if (!node.isArray()) {
            throw new InvalidFileException(file, what + " must be a list, found " + JsonFile.describe(node));
        }
        List<Long> numbers = new ArrayList<>(node.size());
        for (JsonNode element : node) {
            if (!element.isIntegralNumber() || !element.canConvertToLong() || element.longValue() < 0) {
                throw new InvalidFileException(
                        file, what + " must hold integers of 0 or more, found " + JsonFile.describe(element));
            }
            numbers.add(element.longValue());
        }
        return numbers;
    }

    private static void requireContiguous(Path file, List<Entry> entries, long dataBytes) {
        long expected = 0;
        for (Entry entry : entries) {
            if (entry.end() > dataBytes) {
                throw new InvalidFileException(
                        file,
                        "tensor " + entry.info().name() + " ends at byte " + entry.end() + " of the data, the file has "
                                + dataBytes + ": truncated");
            }
            if (entry.begin() != expected) {
                throw new InvalidFileException(
                        file,
                        "tensor " + entry.info().name() + " starts at byte " + entry.begin() + " of the data, the "
                                + "tensors before it end at " + expected
                                + (entry.begin() < expected ? ": they overlap" : ": there is a gap"));
            }
            expected = entry.end();
        }
        if (expected != dataBytes) {
            throw new InvalidFileException(
                    file, "tensors fill " + expected + " bytes of data, the file has " + dataBytes);
        }
    }
}
