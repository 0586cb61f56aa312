package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
    @TempDir
    private Path folder;

    private static TensorInfo tensor(String name, ElementType type, Long... shape) {
        return new TensorInfo(name, type, List.of(shape));
    }

    /** A file with this header, blanks and all, and so many bytes of data. */
    private Path file(String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return file(json.length, json, dataBytes);
    }

    private Path file(long length, byte[] json, int dataBytes) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(length).put(json);
        return Files.write(folder.resolve("made.safetensors"), bytes.array());
    }

    @Test
    void readsBackWhatWasWritten() throws IOException {
        Random random = new Random(1);
        for (int round = 0; round < 25; round++) {
            List<TensorInfo> tensors = new ArrayList<>();
            for (int i = random.nextInt(6); i >= 0; i--) {
                List<Long> shape = new ArrayList<>();
                for (int d = random.nextInt(4); d > 0; d--) {
                    shape.add((long) random.nextInt(5));
                }
                ElementType[] types = ElementType.values();
                tensors.add(new TensorInfo("t" + i, types[random.nextInt(types.length)], shape));
            }
            Map<String, String> metadata = round % 2 == 0 ? Map.of() : Map.of("ke\"y", "vä\n lue \ud83d\ude00");
            Path path = folder.resolve("round.safetensors");
            try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, metadata)) {
                for (TensorInfo tensor : tensors) {
                    writer.write(bytes(tensor));
                }
                writer.commit();
            }
            SafetensorsFile file = SafetensorsFile.open(path);
            assertThat(file.metadata()).isEqualTo(metadata);
            assertThat(file.tensors()).containsExactlyInAnyOrderElementsOf(tensors);
            for (TensorInfo tensor : tensors) {
                assertThat(file.bytes(tensor.name()).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(bytes(tensor).array());
            }
            assertThat(Files.readAllBytes(path)[8 + headerLength(path) - 1]).isIn((byte) ' ', (byte) '}');
            assertThat(headerLength(path) % 8).isZero();
        }
        assertThat(folder).isDirectoryNotContaining(f -> !f.endsWith("round.safetensors"));
    }

    private static ByteBuffer bytes(TensorInfo tensor) {
        byte[] bytes = new byte[(int) tensor.bytes()];
        new Random(tensor.name().hashCode()).nextBytes(bytes);
        return ByteBuffer.wrap(bytes);
    }

    private static int headerLength(Path path) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(path))
                .order(ByteOrder.LITTLE_ENDIAN)
                .getInt();
    }

    @Test
    void widensVectorsAndViewsMatrices() throws IOException {
        Path path = folder.resolve("model.safetensors");
        List<TensorInfo> tensors = List.of(
                tensor("f32", ElementType.F32, 2L),
                tensor("f16", ElementType.F16, 2L),
                tensor("bf16", ElementType.BF16, 1L, 2L));
        try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, Map.of())) {
            ByteBuffer bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putFloat(1.5f)
                    .putFloat(-2)
                    .putShort(Float.floatToFloat16(0.25f))
                    .putShort(Float.floatToFloat16(-7));
            bytes.putShort((short) 0x3f80).putShort((short) 0xc000).flip();
            writer.write(MemorySegment.ofBuffer(bytes));
            writer.commit();
        }
        SafetensorsFile file = SafetensorsFile.open(path);
        assertThat(file.vector("f32", 2)).containsExactly(1.5f, -2);
        assertThat(file.vector("f16", 2)).containsExactly(0.25f, -7);
        Matrix matrix = file.matrix("bf16", 1, 2);
        assertThat(matrix.dtype()).isEqualTo(DType.BF16);
        assertThat(matrix.data().get(ValueLayout.JAVA_SHORT, 2)).isEqualTo((short) 0xc000);
    }

    @Test
    void alignsMatricesThatTheFileDoesNot() throws IOException {
        Path path = file(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[1,5]}}",
                5);
        byte[] bytes = Files.readAllBytes(path);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 4, 3.25f);
        Files.write(path, bytes);
        MemorySegment data = SafetensorsFile.open(path).matrix("b", 1, 1).data();
        assertThat(data.address() % 4).isZero();
        assertThat(data.get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(3.25f);
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        Path path = folder.resolve("whole.safetensors");
        TestFolders.writeWeights(
                path, List.of(tensor("a", ElementType.F32, 3L, 2L), tensor("b", ElementType.BF16, 5L)));
        byte[] whole = Files.readAllBytes(path);
        Path cut = folder.resolve("cut.safetensors");
        for (int length = 0; length < whole.length; length++) {
            Files.write(cut, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> SafetensorsFile.open(cut))
                    .as("cut at %s", length)
                    .isInstanceOf(InvalidFileException.class)
                    .hasMessageStartingWith(cut + ": ")
                    .hasMessageNotContaining("\n");
        }
        Files.write(cut, Arrays.copyOf(whole, whole.length + 1));
        assertThatThrownBy(() -> SafetensorsFile.open(cut)).isInstanceOf(InvalidFileException.class);
    }

    @Test
    void survivesFlippedBytesInLengthAndHeader() throws IOException {
        Path path = folder.resolve("whole.safetensors");
        TestFolders.writeWeights(
                path, List.of(tensor("a", ElementType.F32, 3L, 2L), tensor("b", ElementType.BF16, 5L)));
        byte[] whole = Files.readAllBytes(path);
        int end = 8 + headerLength(path);
        Random random = new Random(2);
        int refused = 0;
        for (int round = 0; round < 1000; round++) {
            byte[] bytes = whole.clone();
            bytes[round < 8 * 8 ? round / 8 : random.nextInt(end)] ^= (byte) (1 << (round % 8));
            Files.write(path, bytes);
            try {
                SafetensorsFile file = SafetensorsFile.open(path);
                // What is still valid, a renamed tensor for one, must be safe to read.
                file.tensors().forEach(t -> file.bytes(t.name()).toArray(ValueLayout.JAVA_BYTE));
            } catch (InvalidFileException e) {
                refused++;
                assertThat(e.getMessage()).startsWith(path + ": ").doesNotContain("\n");
            }
        }
        assertThat(refused).isGreaterThan(600);
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001, Integer.MAX_VALUE, 1L << 32, 3})
    void refusesHeaderLengthsBeyondTheFile(long length) throws IOException {
        Path path = file(length, new byte[] {'{', '}'}, 0);
        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("header length is " + Long.toUnsignedString(length))
                .hasMessageContaining("at most 2 is allowed");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[]                                                              | does not start with '{'",
                "{                                                               | not valid JSON",
                "{} {}                                                           | not valid JSON",
                "{\"a\":7}                                                       | tensor a must be an object",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | Duplicate",
                "{\"a\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,8]}}      | dtype must be one of",
                "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}                  | dtype must be one of",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}    | integers of 0 or more, found -2",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}   | integers of 0 or more",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551618],\"data_offsets\":[0,8]}} | integers of 0 or more",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}} | larger than any file",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2305843009213693954],\"data_offsets\":[0,8]}} | larger than any file",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}       | shape must be a list",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}       | [begin, end]",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}     | [begin, end]",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}     | span 4 bytes, F32 [2] needs 8",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}    | ends at byte 16 of the data, the file has 8: truncated",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}     | there is a gap",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}     | tensors fill 4 bytes of data, the file has 8",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} | they overlap",
                "{\"__metadata__\":{\"a\":1}}                                    | __metadata__.a must be a text",
                "{\"__metadata__\":[]}                                           | __metadata__ must be an object",
            })
    void refusesMalformedHeaders(String header, String problem) throws IOException {
        Path path = file(header, 8);
        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(problem)
                .hasMessageNotContaining("\n");
    }

    @Test
    void refusesDeepNesting() throws IOException {
        Path path = file("{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}", 0);
        assertThatThrownBy(() -> SafetensorsFile.open(path)).isInstanceOf(InvalidFileException.class);
    }

    @Test
    void namesTensorAndDtypeThatWeightsCannotHave() throws IOException {
        Path path = folder.resolve("int.safetensors");
        TestFolders.writeWeights(path, List.of(tensor("w", ElementType.I8, 2L, 2L)));
        assertThatThrownBy(() -> SafetensorsFile.open(path).matrix("w", 2, 2))
                .isInstanceOf(InvalidFileException.class)
                .hasMessage(path + ": tensor w has dtype I8, weights must be F32, F16 or BF16");
    }

    @Test
    void failedWritingLeavesTheOldFile() throws IOException {
        Path path = Files.writeString(folder.resolve("a.safetensors"), "old");
        List<TensorInfo> tensors = List.of(tensor("a", ElementType.U8, 4L));
        try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, Map.of())) {
            writer.write(ByteBuffer.allocate(3));
            assertThatThrownBy(writer::commit).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> writer.write(ByteBuffer.allocate(2))).isInstanceOf(IllegalStateException.class);
        }
        assertThat(path).hasContent("old");
        assertThat(folder).isDirectoryNotContaining(f -> !f.equals(path));
    }
}
