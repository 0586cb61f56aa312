package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufMetadata;
import dev.kvasir.format.gguf.GgufTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/** GGUF files as such: header, every value of the metadata asked for as every type, the ends of every tensor. */
class GgufFileFuzzTest {
    private static final Path FILE = Hostile.folder().resolve("model.gguf");

    @DictionaryFile(resourcePath = "gguf.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        Hostile.check(bytes.length, () -> read(bytes));
    }

    static void read(byte[] bytes) {
        GgufFile file = GgufFile.open(Hostile.write(FILE, bytes));
        file.metadata().keys().forEach(key -> ask(file.metadata(), key));
        file.tensors().forEach(tensor -> touch(file, tensor));
    }

    private static void ask(GgufMetadata metadata, String key) {
        Hostile.refusable(() -> metadata.integer(key, Integer.MIN_VALUE, Integer.MAX_VALUE));
        Hostile.refusable(() -> metadata.positive(key, 1e30));
        Hostile.refusable(() -> metadata.text(key));
        Hostile.refusable(() -> metadata.flag(key, true));
        Hostile.refusable(() -> metadata.count(key));
        Hostile.refusable(() -> metadata.texts(key));
        Hostile.refusable(() -> metadata.floats(key));
        Hostile.refusable(() -> metadata.integers(key, Integer.MIN_VALUE, Integer.MAX_VALUE));
    }

    private static void touch(GgufFile file, GgufTensor tensor) {
        MemorySegment bytes = file.bytes(tensor);
        bytes.get(ValueLayout.JAVA_BYTE, 0);
        bytes.get(ValueLayout.JAVA_BYTE, bytes.byteSize() - 1);
    }
}
