package dev.kvasir.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.gguf.TestGguf.Bytes;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir
    private Path folder;

    private GgufFile open(byte[] bytes) throws IOException {
        return GgufFile.open(Files.write(folder.resolve("made.gguf"), bytes));
    }

    private AbstractThrowableAssert<?, ?> assertRefused(byte[] bytes) {
        return assertThatThrownBy(() -> open(bytes))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageStartingWith(folder.resolve("made.gguf") + ": ")
                .satisfies(e -> assertThat(e).message().doesNotContain("\n"));
    }

    private AbstractThrowableAssert<?, ?> assertRefused(TestGguf file) {
        return assertRefused(file.toBytes());
    }

    private static TestGguf two() {
        return new TestGguf()
                .text("general.architecture", "llama")
                .tensor("a", 0, TestGguf.f32(1, 2, 3, 4, 5, 6), 3, 2)
                .tensor("b", 0, TestGguf.f32(7, 8), 2);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsTensorsOfBothVersions(int version) throws IOException {
        GgufFile file = open(two().version(version).toBytes());

        assertThat(file.version()).isEqualTo(version);
        assertThat(file.tensors()).extracting(GgufTensor::name).containsExactly("a", "b");
        GgufTensor a = file.tensor("a");
        assertThat(a.shape()).containsExactly(2L, 3L);
        assertThat(a.elements()).isEqualTo(6);
        assertThat(file.bytes(a).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(file.bytes(file.tensor("b")).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(7, 8);
        assertThat(file.find("c")).isEmpty();
        assertThatThrownBy(() -> file.tensor("c")).hasMessageEndingWith("tensor c is missing");
    }

    @Test
    void viewsTensorsInTheMappingReadOnly() throws IOException {
        GgufFile file = open(two().toBytes());
        MemorySegment bytes = file.bytes(file.tensor("b"));

        assertThat(bytes.isMapped()).isTrue();
        assertThat(bytes.isReadOnly()).isTrue();
        assertThat(bytes.address() % 32).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void knowsTheBytesOfEveryType(GgmlType type) throws IOException {
        int columns = 2 * type.blockElements();
        byte[] bytes = new byte[3 * 2 * type.blockBytes()];
        new Random(type.id()).nextBytes(bytes);
        GgufFile file =
                open(new TestGguf().tensor("x", type.id(), bytes, columns, 3).toBytes());

        assertThat(file.tensor("x").type()).isEqualTo(type);
        assertThat(file.bytes(file.tensor("x")).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
        byte[] short1 = Arrays.copyOf(bytes, bytes.length - 1);
        assertRefused(new TestGguf().tensor("x", type.id(), short1, columns, 3))
                .hasMessageContaining("tensor x has " + bytes.length
                        + " bytes from byte 0 of the data on, the file has " + short1.length);
        if (type.blockElements() > 1) {
            assertRefused(new TestGguf().tensor("x", type.id(), bytes, columns - 1, 3))
                    .hasMessageContaining("rows of " + (columns - 1) + " elements, " + type + " needs a multiple of "
                            + type.blockElements());
        }
    }

    @Test
    void readsEveryKindOfValue() throws IOException {
        GgufMetadata m = open(new TestGguf()
                        .pair("u8", TestGguf.UINT8, new Bytes().u8(255).toArray())
                        .pair("i8", TestGguf.INT8, new Bytes().u8(255).toArray())
                        .pair("u16", TestGguf.UINT16, new Bytes().u16(65535).toArray())
                        .pair("i16", TestGguf.INT16, new Bytes().u16(65535).toArray())
                        .pair("u32", TestGguf.UINT32, new Bytes().u32(-1).toArray())
                        .pair("i32", TestGguf.INT32, new Bytes().u32(-1).toArray())
                        .pair("u64", TestGguf.UINT64, new Bytes().u64(77).toArray())
                        .pair("u64max", TestGguf.UINT64, new Bytes().u64(-1).toArray())
                        .pair("i64", TestGguf.INT64, new Bytes().u64(-77).toArray())
                        .pair("f64", TestGguf.FLOAT64, new Bytes().f64(0.1).toArray())
                        .f32("f32", 0.25f)
                        .bool("yes", true)
                        .bool("no", false)
                        .text("text", "gr\u00fc\u00df \ud83d\ude00\n")
                        .texts("texts", List.of("", "a", "\u0120the"))
                        .ints("ints", 1, -2, 3)
                        .floats("floats", 1.5f, -2)
                        .toBytes())
                .metadata();

        assertThat(m.integer("u8", 0, 255)).hasValue(255);
        assertThat(m.integer("i8", -1, 0)).hasValue(-1);
        assertThat(m.integer("u16", 0, 65535)).hasValue(65535);
        assertThat(m.integer("i16", -1, 0)).hasValue(-1);
        assertThatThrownBy(() -> m.integer("u32", -1, Integer.MAX_VALUE))
                .hasMessageContaining("metadata u32 must be an integer from -1 to 2147483647, found 4294967295");
        assertThat(m.integer("i32", -1, 0)).hasValue(-1);
        assertThat(m.integer("u64", 0, 100)).hasValue(77);
        assertThatThrownBy(() -> m.integer("u64max", -1, 100)).isInstanceOf(InvalidFileException.class);
        assertThat(m.integer("i64", -100, 0)).hasValue(-77);
        assertThat(m.positive("f64", 1)).hasValue(0.1);
        assertThat(m.positive("f32", 1)).hasValue(0.25);
        assertThat(m.positive("u8", 255)).hasValue(255);
        assertThat(m.flag("yes", false)).isTrue();
        assertThat(m.flag("no", true)).isFalse();
        assertThat(m.flag("absent", true)).isTrue();
        assertThat(m.text("text")).hasValue("gr\u00fc\u00df \ud83d\ude00\n");
        assertThat(m.texts("texts").orElseThrow()).containsExactly("", "a", "\u0120the");
        assertThat(m.integers("ints", -2, 3).orElseThrow()).containsExactly(1, -2, 3);
        assertThat(m.floats("floats").orElseThrow()).containsExactly(1.5f, -2);
        assertThat(m.count("ints")).isEqualTo(3);
        assertThat(m.integer("absent", 0, 1)).isEmpty();
        assertThat(m.texts("absent")).isEmpty();
        assertThat(m.keys()).hasSize(17);
    }

    @Test
    void namesTheKeyWhoseValueIsOfAnotherKind() throws IOException {
        GgufMetadata m = open(new TestGguf()
                        .text("t", "x")
                        .u32("n", 5)
                        .floats("fs", 1, Float.NaN)
                        .f32("nan", Float.NaN)
                        .ints("is", 9)
                        .toBytes())
                .metadata();

        assertThatThrownBy(() -> m.integer("t", 0, 1))
                .hasMessageContaining("metadata t must be an integer, found STRING");
        assertThatThrownBy(() -> m.text("n")).hasMessageContaining("metadata n must be a text, found UINT32");
        assertThatThrownBy(() -> m.texts("n")).hasMessageContaining("must be an array, found UINT32");
        assertThatThrownBy(() -> m.texts("fs"))
                .hasMessageContaining("must be an array of texts, found an array of 2 values of FLOAT32");
        assertThatThrownBy(() -> m.flag("n", true)).hasMessageContaining("must be true or false");
        assertThatThrownBy(() -> m.positive("nan", 1)).hasMessageContaining("found NaN");
        assertThatThrownBy(() -> m.positive("t", 1)).hasMessageContaining("must be a number");
        assertThatThrownBy(() -> m.floats("is")).hasMessageContaining("must be an array of numbers");
        assertThatThrownBy(() -> m.integers("is", 0, 8)).hasMessageContaining("metadata is[0] must be");
        assertThatThrownBy(() -> m.requiredInteger("gone", 0, 1)).hasMessageContaining("metadata gone is missing");
        assertThatThrownBy(() -> m.requiredText("gone")).hasMessageContaining("metadata gone is missing");
        assertThatThrownBy(() -> m.requiredPositive("gone", 1)).hasMessageContaining("metadata gone is missing");
    }

    @Test
    void passesOverNestedArraysButNotForever() throws IOException {
        byte[] inner = new Bytes().u32(TestGguf.UINT8).u64(2).u8(1).u8(2).toArray();
        byte[] nested =
                new Bytes().u32(TestGguf.ARRAY).u64(2).raw(inner).raw(inner).toArray();
        GgufFile file = open(
                new TestGguf().pair("n", TestGguf.ARRAY, nested).u32("after", 7).toBytes());

        assertThat(file.metadata().integer("after", 0, 9)).hasValue(7);

        byte[] deep = inner;
        for (int i = 0; i < 10_000; i++) {
            deep = i < 12 ? new Bytes().u32(TestGguf.ARRAY).u64(1).raw(deep).toArray() : deep;
        }
        assertRefused(new TestGguf().pair("d", TestGguf.ARRAY, deep)).hasMessageContaining("deeper than the allowed 4");
    }

    @Test
    void refusesWhatIsNoGguf() {
        assertRefused(new byte[0]).hasMessageContaining("has 0 bytes, a GGUF file has at least 24");
        assertRefused("hello, this is a letter".getBytes(StandardCharsets.UTF_8))
                .hasMessageContaining("has 23 bytes");
        assertRefused("hello, this is a long letter".getBytes(StandardCharsets.UTF_8))
                .hasMessageContaining("starts with 0x68656c6c, a GGUF file starts with 0x47475546");
        assertThatThrownBy(() -> GgufFile.open(folder.resolve("none"))).hasMessageEndingWith("there is no such file");
        assertThatThrownBy(() -> GgufFile.open(folder)).hasMessageEndingWith("is not a file");
    }

    @Test
    void refusesOtherVersionsAndByteOrders() {
        assertRefused(two().version(1)).hasMessageContaining("has GGUF version 1, allowed are 2 and 3");
        assertRefused(two().version(4)).hasMessageContaining("has GGUF version 4");
        assertRefused(two().version(0)).hasMessageContaining("has GGUF version 0");
        assertRefused(two().version(Integer.reverseBytes(3))).hasMessageContaining("big-endian GGUF file (version 3)");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, 1L << 40, 1L << 62, 65_537})
    void refusesCountsBeyondReason(long count) {
        assertRefused(two().toBytes(count, 1)).hasMessageContaining("tensor_count is " + Long.toUnsignedString(count));
        assertRefused(two().toBytes(2, count)).hasMessageContaining("metadata_kv_count is");
    }

    @Test
    void refusesAnArrayLongerThanTheFile() {
        for (long count : new long[] {5, 1L << 31, 1L << 40, 1L << 61, Long.MAX_VALUE, -1}) {
            byte[] array =
                    new Bytes().u32(TestGguf.UINT32).u64(count).u32(1).u32(2).toArray();
            assertRefused(new TestGguf().pair("x", TestGguf.ARRAY, array))
                    .hasMessageContaining("metadata x is an array of " + Long.toUnsignedString(count));
        }
        byte[] texts =
                new Bytes().u32(TestGguf.STRING).u64(1 << 20).u64(0).u64(0).toArray();
        assertRefused(new TestGguf().pair("x", TestGguf.ARRAY, texts)).hasMessageContaining("truncated or malformed");
    }

    @Test
    void refusesAbsurdTexts() {
        for (long length : new long[] {-1, 1L << 62, 1L << 24}) {
            byte[] text = new Bytes().u64(length).u8('x').toArray();
            assertRefused(new TestGguf().pair("k", TestGguf.STRING, text))
                    .hasMessageContaining("metadata k has a length of " + Long.toUnsignedString(length) + " bytes");
        }
        assertRefused(new TestGguf().u32("", 1)).hasMessageContaining("metadata key 0 must be a name");
        assertRefused(new TestGguf().u32("a\u001b[2Jb", 1)).hasMessageContaining("found \"a\\u001b[2Jb\"");
        assertRefused(new TestGguf().u32("x".repeat(70_000), 1)).hasMessageContaining("at most 65535 are allowed");
        assertRefused(new TestGguf().info("y".repeat(128), 0, 0, 1)).hasMessageContaining("at most 127 are allowed");
        assertRefused(new TestGguf().pair("k", 77, new byte[8])).hasMessageContaining("has value type 77");
        assertRefused(new TestGguf().pair("k", TestGguf.BOOL, new byte[] {2})).hasMessageContaining("is a bool of 2");
        byte[] latin = new TestGguf().u32("k\u00e9", 1).toBytes();
        latin[24 + 8 + 1] = (byte) 0xff;
        assertRefused(latin).hasMessageContaining("metadata key 0 must be UTF-8");
    }

    @Test
    void refusesDuplicates() {
        assertRefused(new TestGguf().u32("k", 1).u32("k", 2)).hasMessageContaining("metadata k is there twice");
        assertRefused(two().tensor("a", 0, TestGguf.f32(1), 1)).hasMessageContaining("tensor a is there twice");
    }

    @Test
    void refusesTensorsThatDoNotLieRight() {
        assertRefused(two().info("c", 0, 0, 1)).hasMessageContaining("they overlap");
        assertRefused(two().info("c", 0, 36, 1)).hasMessageContaining("multiple of the alignment 32");
        assertRefused(two().info("c", 0, -32, 1)).hasMessageContaining("multiple of the alignment 32");
        assertRefused(two().info("c", 0, 1L << 40, 1)).hasMessageContaining("truncated");
        assertRefused(two().info("c", 0, Long.MAX_VALUE - 31, 1)).hasMessageContaining("truncated");
        assertRefused(two().info("c", 0, 64, 1L << 40)).hasMessageContaining("truncated");
        assertRefused(two().info("c", 0, 64, 1L << 40, 1L << 40)).hasMessageContaining("larger than any file");
        assertRefused(two().info("c", 0, 64, Long.MAX_VALUE)).hasMessageContaining("larger than any file");
        assertRefused(two().info("c", 0, 64, -4)).hasMessageContaining("has a dimension of 18446744073709551612");
        assertRefused(two().info("c", 0, 64, 0, 5)).hasMessageContaining("has a dimension of 0");
        assertRefused(two().info("c", 0, 64)).hasMessageContaining("has 0 dimensions, allowed are 1 to 4");
        assertRefused(two().info("c", 0, 64, 1, 1, 1, 1, 1)).hasMessageContaining("has 5 dimensions");
        assertRefused(two().info("c", 4, 64, 1)).hasMessageContaining("tensor c has type 4, which is not known");
        assertRefused(two().info("c", -1, 64, 1)).hasMessageContaining("has type 4294967295");
    }

    @Test
    void keepsToTheAlignmentTheFileNames() throws IOException {
        for (int alignment : new int[] {8, 64, 4096}) {
            GgufFile file = open(new TestGguf()
                    .alignment(alignment)
                    .tensor("a", 0, TestGguf.f32(1), 1)
                    .tensor("b", 0, TestGguf.f32(2), 1)
                    .toBytes());
            assertThat(file.tensor("b").offset()).isEqualTo(alignment);
            assertThat(file.bytes(file.tensor("b")).get(ValueLayout.JAVA_FLOAT, 0))
                    .isEqualTo(2);
        }
        assertRefused(new TestGguf().alignment(24)).hasMessageContaining("general.alignment must be a power of two");
        assertRefused(new TestGguf().u32("general.alignment", 0)).hasMessageContaining("general.alignment must be");
    }

    @Test
    void refusesEveryTruncation() {
        byte[] whole =
                two().texts("list", List.of("a", "bc")).ints("ids", 1, 2, 3).toBytes();
        for (int length = 0; length < whole.length; length++) {
            assertRefused(Arrays.copyOf(whole, length));
        }
    }

    @Test
    void opensOrRefusesWhateverBytesAreChanged() {
        byte[] whole =
                two().texts("list", List.of("a", "bc")).ints("ids", 1, 2, 3).toBytes();
        Random random = new Random(3);
        long[] numbers = {0, -1, 1, 0xff, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32, 1L << 16};
        for (int round = 0; round < 20_000; round++) {
            byte[] mutant = whole.clone();
            for (int i = random.nextInt(3); i >= 0; i--) {
                int at = random.nextInt(mutant.length - 8);
                if (random.nextBoolean()) {
                    mutant[at] ^= (byte) (1 << random.nextInt(8));
                } else {
                    MemorySegment.ofArray(mutant)
                            .set(ValueLayout.JAVA_LONG_UNALIGNED, at, numbers[random.nextInt(numbers.length)]);
                }
            }
            try {
                GgufFile file = GgufFile.of(Path.of("mutant"), MemorySegment.ofArray(mutant));
                for (GgufTensor tensor : file.tensors()) {
                    assertThat(file.bytes(tensor).byteSize()).isEqualTo(tensor.bytes());
                }
            } catch (InvalidFileException e) {
                assertThat(e).message().doesNotContain("\n");
            }
        }
    }

    @Test
    void allocatesLittleMoreThanTheFileIsLong() {
        TestGguf file = new TestGguf();
        for (int i = 0; i < 20_000; i++) {
            file.bool("k" + i, true);
        }
        byte[] keys = file.toBytes();
        TestGguf tensors = new TestGguf();
        for (int i = 0; i < 20_000; i++) {
            tensors.tensor("t" + i, 24, new byte[1], 1);
        }
        for (byte[] bytes : List.of(
                keys,
                tensors.toBytes(),
                new TestGguf()
                        .pair(
                                "x",
                                TestGguf.ARRAY,
                                new Bytes()
                                        .u32(TestGguf.STRING)
                                        .u64(100_000)
                                        .raw(new byte[800_000])
                                        .toArray())
                        .toBytes())) {
            MemorySegment segment = MemorySegment.ofArray(bytes);
            GgufFile.of(Path.of("warm"), segment);
            var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
            long before = threads.getCurrentThreadAllocatedBytes();
            GgufFile.of(Path.of("x"), segment);
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated).isLessThan(60L * bytes.length);
        }
    }
}
