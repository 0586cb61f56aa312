package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrations;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Calibrations as safetensors files of F32 tensors.
 *
 * <p>The metadata says {@code kvasir.calibration} (version), {@code kvasir.method}, {@code kvasir.fingerprint} (of the
 * model), and the options as {@code option.NAME}.
 */
public final class CalibrationFile {
    /** The folder inside a model's folder that holds the calibrations that come with it. */
    public static final String FOLDER = "calibration";

    private static final String VERSION = "kvasir.calibration";
    private static final String METHOD = "kvasir.method";
    private static final String FINGERPRINT = "kvasir.fingerprint";
    private static final String OPTION = "option.";
    /** The most bytes a calibration may have: more than the largest model's permutations and codebooks. */
    private static final long MAX_BYTES = 1L << 30;

    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private CalibrationFile() {}

    /** The file of a method that comes with the model in {@code folder}, whether it exists or not. */
    public static Path shipped(Path folder, String method) {
        return folder.resolve(FOLDER).resolve(method + ".safetensors");
    }

    /** The calibrations of the model in {@code folder}: those that come with it, or the files users name. */
    static Calibrations of(Path folder, String fingerprint) {
        return (method, file) -> {
            Path path = file.isEmpty() ? shipped(folder, method) : Path.of(file);
            if (file.isEmpty() && !Files.exists(path)) {
                throw new Calibration.CalibrationException(
                        method,
                        "none comes with this model: make one with " + Caches.calibratedBy(method) + " and name it as "
                                + method + "(file=...)");
            }
            return read(path, method, fingerprint);
        };
    }

    /**
     * Reads the calibration of a method for a model.
     *
     * @throws InvalidFileException if it is damaged, or another method's or model's
     */
    public static Calibration read(Path path, String method, String fingerprint) {
        SafetensorsFile file = SafetensorsFile.open(path);
        Map<String, String> metadata = file.metadata();
        expect(path, metadata, VERSION, "1");
        expect(path, metadata, METHOD, method);
        expect(path, metadata, FINGERPRINT, fingerprint);
        Map<String, String> options = new LinkedHashMap<>();
        metadata.forEach((key, value) -> {
            if (key.startsWith(OPTION)) {
                options.put(key.substring(OPTION.length()), value);
            }
        });
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        long bytes = 0;
        for (TensorInfo info : file.tensors()) {
            bytes += info.bytes();
            if (info.type() != ElementType.F32 || bytes > MAX_BYTES) {
                throw new InvalidFileException(
                        path,
                        "tensor " + info.name() + " is " + info.type() + " " + info.shapeText()
                                + ", expected F32 and at most " + MAX_BYTES + " bytes in all");
            }
            tensors.put(info.name(), tensor(path, file, info));
        }
        return new Calibration(method, options, fingerprint, tensors);
    }

    private static void expect(Path path, Map<String, String> metadata, String key, String expected) {
        String found = metadata.get(key);
        if (!expected.equals(found)) {
            throw new InvalidFileException(
                    path,
                    "metadata " + key + " is " + (found == null ? "missing: not a calibration" : found) + ", expected "
                            + expected);
        }
    }

    private static Calibration.Tensor tensor(Path path, SafetensorsFile file, TensorInfo info) {
        MemorySegment bytes = file.bytes(info.name());
        float[] data = new float[Math.toIntExact(info.bytes() / Float.BYTES)];
        MemorySegment.copy(bytes, F32, 0, data, 0, data.length);
        for (float number : data) {
            if (!Float.isFinite(number)) {
                throw new InvalidFileException(path, "tensor " + info.name() + " holds " + number);
            }
        }
        List<Integer> shape = info.shape().stream().map(Math::toIntExact).toList();
        return new Calibration.Tensor(shape, data);
    }

    /** Writes a calibration; the file appears only when it is complete. */
    public static void write(Path path, Calibration calibration) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put(VERSION, "1");
        metadata.put(METHOD, calibration.method());
        metadata.put(FINGERPRINT, calibration.fingerprint());
        calibration.options().forEach((name, value) -> metadata.put(OPTION + name, value));
        List<TensorInfo> infos = new ArrayList<>();
        calibration
                .tensors()
                .forEach((name, tensor) -> infos.add(new TensorInfo(
                        name,
                        ElementType.F32,
                        tensor.shape().stream().map(Long::valueOf).toList())));
        try (SafetensorsWriter writer = SafetensorsWriter.create(path, infos, metadata)) {
            for (Calibration.Tensor tensor : calibration.tensors().values()) {
                float[] data = tensor.data();
                MemorySegment bytes = MemorySegment.ofArray(new byte[Math.multiplyExact(data.length, Float.BYTES)]);
                MemorySegment.copy(data, 0, bytes, F32, 0, data.length);
                writer.write(bytes);
            }
            writer.commit();
        }
    }
}
