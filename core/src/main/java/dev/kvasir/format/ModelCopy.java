package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.RotaryOrder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A copy of a model folder whose rotary pairs lie in another order, or whose rows are multiplied by powers of two.
 *
 * <p>Everything else goes along: tokenizer, generation configuration, licence, model card. Left behind are sub-folders (with
 * the calibrations, which are of the original) and weights in other forms. The folder appears when it is complete.
 */
public final class ModelCopy {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String CARD = "README.md";
    private static final long MAX_JSON_BYTES = 64L << 20;
    private static final long MAX_CARD_BYTES = 16L << 20;
    /** Weights, whatever they are called: those in use are written anew, others would be of the model as it was. */
    private static final Pattern WEIGHTS =
            Pattern.compile(".*\\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)(\\.index\\.json)?");

    private final Path from;
    private final WeightFiles files;
    private final Map<String, int[]> rows = new HashMap<>();
    private final Map<String, int[]> exponents = new HashMap<>();
    private final Map<String, RotaryOrder> added = new TreeMap<>();
    private String note = "";

    /** A copy of the folder as it is. */
    public ModelCopy(Path from) {
        this.from = from;
        this.files = WeightFiles.open(from);
    }

    /** Puts the rows of a layer's key projection, and of its query projection of {@code heads} heads, into this order. */
    public void reorder(int layer, RotaryOrder order, int heads) {
        rows.put(DecoderTensors.keyWeight(layer), rows(order, order.kvHeads()));
        rows.put(DecoderTensors.queryWeight(layer), rows(order, heads));
        added.put(DecoderTensors.rotaryOrder(layer), order);
    }

    private static int[] rows(RotaryOrder order, int heads) {
        int headDim = order.headDim();
        int group = heads / order.kvHeads();
        int[] rows = new int[heads * headDim];
        for (int h = 0; h < heads; h++) {
            int[] channels = order.channels(h / group);
            for (int c = 0; c < headDim; c++) {
                rows[h * headDim + c] = h * headDim + channels[c];
            }
        }
        return rows;
    }

    /**
     * Multiplies the rows of a layer's key projection by powers of two, and divides those of its query projection of {@code
     * heads} heads by them.
     *
     * @param powers exponents for each key row; the channels of a rotary pair must agree
     */
    public void scaleKeys(int layer, int[] powers, int heads, int headDim) {
        int group = heads * headDim / powers.length;
        int[] inverse = new int[heads * headDim];
        for (int row = 0; row < inverse.length; row++) {
            inverse[row] = -powers[row / headDim / group * headDim + row % headDim];
        }
        exponents.put(DecoderTensors.keyWeight(layer), powers.clone());
        exponents.put(DecoderTensors.queryWeight(layer), inverse);
    }

    /** Markdown that the model card begins with. */
    public void note(String markdown) {
        note = markdown;
    }

    /**
     * Fails if {@link #write} could not write there.
     *
     * @throws InvalidInputException if the folder is there and not empty
     */
    public static void requireFree(Path to) throws IOException {
        if (Files.exists(to)) {
            boolean free;
            try (Stream<Path> inside = Files.isDirectory(to) ? Files.list(to) : Stream.of(to)) {
                free = inside.findAny().isEmpty();
            }
            if (!free) {
                throw new InvalidInputException(to + " already exists: name a new or empty folder");
            }
        }
    }

    /**
     * Writes the copy.
     *
     * @throws InvalidInputException if the folder is there and not empty
     */
    public void write(Path to) throws IOException {
        requireFree(to);
        Path target = to.toAbsolutePath().normalize();
        Path parent = target.getParent();
        if (parent == null) {
            throw new InvalidInputException(to + " cannot be written: name a new folder");
        }
        Path work =
                Files.createDirectories(parent).resolve("." + target.getFileName() + "." + UUID.randomUUID() + ".tmp");
        Files.createDirectory(work);
        try {
            writeAll(work);
            Files.deleteIfExists(target);
            Files.move(work, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            removeAll(work);
        }
    }

    private void writeAll(Path work) throws IOException {
        writeConfig(work);
        writeCard(work);
        writeWeights(work);
        copyOthers(work);
    }

    private void writeConfig(Path work) throws IOException {
        ObjectNode config = (ObjectNode) JsonFile.readObject(from.resolve(ConfigFile.CONFIG), MAX_JSON_BYTES);
        if (!added.isEmpty()) {
            config.put("model_type", ConfigFile.REORDERED_TYPE);
            config.putArray("architectures").add("KvasirLlamaForCausalLM");
            config.put(ConfigFile.ROPE_BLOCK, added.values().iterator().next().block());
        }
        Files.writeString(work.resolve(ConfigFile.CONFIG), JSON.writeValueAsString(config) + "\n");
    }

    /** The note comes after the card's front matter, which must stay first. */
    private void writeCard(Path work) throws IOException {
        Path card = from.resolve(CARD);
        String old = Files.isRegularFile(card)
                ? new String(JsonFile.readBytes(card, MAX_CARD_BYTES), StandardCharsets.UTF_8)
                : "";
        int end = old.startsWith("---\n") ? old.indexOf("\n---\n", 3) : -1;
        int at = end < 0 ? 0 : end + "\n---\n".length();
        Files.writeString(work.resolve(CARD), old.substring(0, at) + note + "\n" + old.substring(at));
    }

    private void writeWeights(Path work) throws IOException {
        Map<Path, SafetensorsFile> distinct = new LinkedHashMap<>();
        files.names().forEach(name -> distinct.put(files.holding(name).path(), files.holding(name)));
        String withOrders = "";
        for (SafetensorsFile file : distinct.values()) {
            String name = file.path().getFileName().toString();
            boolean first = withOrders.isEmpty();
            withOrders = first ? name : withOrders;
            writeWeights(work.resolve(name), file, first ? added : Map.of());
        }
        if (Files.exists(from.resolve(WeightFiles.INDEX)) && !distinct.containsKey(from.resolve(WeightFiles.SINGLE))) {
            writeIndex(work, withOrders);
        }
    }

    private void writeIndex(Path work, String withOrders) throws IOException {
        ObjectNode index = (ObjectNode) JsonFile.readObject(from.resolve(WeightFiles.INDEX), MAX_JSON_BYTES);
        JsonNode map = index.path("weight_map");
        if (map instanceof ObjectNode names) {
            added.keySet().forEach(tensor -> names.put(tensor, withOrders));
        }
        Files.writeString(work.resolve(WeightFiles.INDEX), JSON.writeValueAsString(index) + "\n");
    }

    private void writeWeights(Path to, SafetensorsFile file, Map<String, RotaryOrder> orders) throws IOException {
        // Orders first: their elements are as large as any weight's, so that what follows stays aligned.
        List<TensorInfo> infos = new ArrayList<>();
        orders.forEach((name, order) -> infos.add(
                new TensorInfo(name, ElementType.I32, List.of((long) order.kvHeads(), order.headDim() / 2L))));
        infos.addAll(file.tensors());
        try (SafetensorsWriter writer = SafetensorsWriter.create(to, infos, file.metadata())) {
            for (RotaryOrder order : orders.values()) {
                writer.write(bytes(order));
            }
            for (TensorInfo info : file.tensors()) {
                write(writer, file.bytes(info.name()), info);
            }
            writer.commit();
        }
    }

    private static ByteBuffer bytes(RotaryOrder order) {
        ByteBuffer bytes = ByteBuffer.allocate(order.kvHeads() * order.headDim() / 2 * Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int h = 0; h < order.kvHeads(); h++) {
            for (int pair : order.pairs(h)) {
                bytes.putInt(pair);
            }
        }
        return bytes.flip();
    }

    private void write(SafetensorsWriter writer, MemorySegment bytes, TensorInfo info) throws IOException {
        int[] powers = exponents.get(info.name());
        if (powers != null) {
            requireRows(info, powers.length);
            writer.write(scaled(bytes, info, powers));
            return;
        }
        int[] order = rows.get(info.name());
        if (order == null) {
            writer.write(bytes);
            return;
        }
        requireRows(info, order.length);
        long rowBytes = bytes.byteSize() / order.length;
        for (int row : order) {
            writer.write(bytes.asSlice(row * rowBytes, rowBytes));
        }
    }

    private void requireRows(TensorInfo info, int count) {
        if (info.shape().isEmpty() || info.shape().getFirst() != count) {
            throw new InvalidFileException(
                    from, "tensor " + info.name() + " has shape " + info.shapeText() + ", expected " + count + " rows");
        }
    }

    /** The elements of a weight, each row times a power of two: exact but for what leaves the type's range. */
    private static MemorySegment scaled(MemorySegment bytes, TensorInfo info, int[] powers) {
        MemorySegment out = MemorySegment.ofArray(new byte[Math.toIntExact(bytes.byteSize())]);
        long columns = bytes.byteSize() / info.type().bytes() / powers.length;
        for (int row = 0; row < powers.length; row++) {
            float factor = Math.scalb(1f, powers[row]);
            for (long i = row * columns; i < (row + 1) * columns; i++) {
                scale(bytes, out, i, info.type(), factor);
            }
        }
        return out;
    }

    private static void scale(MemorySegment in, MemorySegment out, long i, ElementType type, float factor) {
        switch (type) {
            case F32 -> out.set(F32, 4 * i, in.get(F32, 4 * i) * factor);
            case F16 -> out.set(I16, 2 * i, Float.floatToFloat16(Float.float16ToFloat(in.get(I16, 2 * i)) * factor));
            case BF16 ->
                out.set(I16, 2 * i, (short) (Float.floatToRawIntBits(
                                Float.intBitsToFloat(in.get(I16, 2 * i) << 16) * factor)
                        >>> 16));
            default -> throw new IllegalArgumentException("weights of " + type);
        }
    }

    private void copyOthers(Path work) throws IOException {
        Set<String> written = new HashSet<>(Set.of(ConfigFile.CONFIG, CARD));
        try (Stream<Path> all = Files.list(from)) {
            for (Path file : all.filter(Files::isRegularFile).sorted().toList()) {
                String name = file.getFileName().toString();
                boolean weights = WEIGHTS.matcher(name.toLowerCase(Locale.ROOT)).matches();
                if (!weights && !written.contains(name)) {
                    Files.copy(file, work.resolve(name));
                }
            }
        }
    }

    private static void removeAll(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> inside = Files.list(folder)) {
            for (Path file : inside.toList()) {
                Files.delete(file);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        Files.delete(folder);
    }
}
