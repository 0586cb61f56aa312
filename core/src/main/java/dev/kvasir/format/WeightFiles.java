package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/** The tensors of a model folder, whether one file holds them or several named by an index. */
final class WeightFiles {
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    private static final long MAX_INDEX_BYTES = 64L << 20;

    private final Path source;
    private final Map<String, SafetensorsFile> byTensor;

    private WeightFiles(Path source, Map<String, SafetensorsFile> byTensor) {
        this.source = source;
        this.byTensor = byTensor;
    }

    /** Opens {@value #SINGLE} or else the files of {@value #INDEX}. */
    static WeightFiles open(Path folder) {
        Path single = folder.resolve(SINGLE);
        Path index = folder.resolve(INDEX);
        if (!Files.exists(single) && Files.exists(index)) {
            return openSharded(folder, index);
        }
        SafetensorsFile file = SafetensorsFile.open(single);
        Map<String, SafetensorsFile> byTensor = new TreeMap<>();
        file.tensors().forEach(tensor -> byTensor.put(tensor.name(), file));
        return new WeightFiles(single, byTensor);
    }

    private static WeightFiles openSharded(Path folder, Path index) {
        JsonNode map = JsonFile.readObject(index, MAX_INDEX_BYTES).path("weight_map");
        if (!map.isObject()) {
            throw new InvalidFileException(
                    index, "weight_map must be an object of file names, found " + JsonFile.describe(map));
        }
        Map<String, SafetensorsFile> files = new LinkedHashMap<>();
        Map<String, SafetensorsFile> byTensor = new TreeMap<>();
        for (var property : map.properties()) {
            String name = fileName(index, property.getKey(), property.getValue());
            SafetensorsFile file = files.computeIfAbsent(name, n -> SafetensorsFile.open(folder.resolve(n)));
            if (!file.contains(property.getKey())) {
                throw new InvalidFileException(
                        file.path(), "tensor " + property.getKey() + " is missing, " + INDEX + " says it is here");
            }
            byTensor.put(property.getKey(), file);
        }
        return new WeightFiles(index, byTensor);
    }

    /** A plain file name: whatever could lead out of the folder is refused, on any system. */
    private static String fileName(Path index, String tensor, JsonNode node) {
        String name = node.isString() ? node.stringValue() : "";
        boolean plain = !name.isEmpty()
                && name.chars().allMatch(c -> c > ' ' && c < 127 && c != '/' && c != '\\' && c != ':')
                && !name.startsWith(".");
        if (!plain) {
            throw new InvalidFileException(
                    index,
                    "weight_map." + tensor + " must be the name of a file in the same folder, found "
                            + JsonFile.describe(node));
        }
        return name;
    }

    /** Names of all tensors, sorted. */
    Set<String> names() {
        return Collections.unmodifiableSet(byTensor.keySet());
    }

    /** The file that holds a tensor. */
    SafetensorsFile holding(String tensor) {
        SafetensorsFile file = byTensor.get(tensor);
        if (file == null) {
            throw new InvalidFileException(source, "tensor " + tensor + " is missing");
        }
        return file;
    }
}
