package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.SafetensorsFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/** Safetensors files, as they are and with their lengths mended. */
class SafetensorsFuzzTest {
    private static final Path FILE = Hostile.folder().resolve("model.safetensors");

    @DictionaryFile(resourcePath = "model.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        Hostile.check(bytes.length, () -> read(bytes));
        byte[] mended = Mending.safetensors(bytes);
        Hostile.check(mended.length, () -> read(mended));
    }

    static void read(byte[] content) {
        SafetensorsFile file = SafetensorsFile.open(Hostile.write(FILE, content));
        for (var tensor : file.tensors()) {
            MemorySegment bytes = file.bytes(tensor.name());
            if (bytes.byteSize() > 0) {
                bytes.get(ValueLayout.JAVA_BYTE, 0);
                bytes.get(ValueLayout.JAVA_BYTE, bytes.byteSize() - 1);
            }
            if (tensor.shape().size() == 1 && tensor.shape().getFirst() <= content.length) {
                int length = tensor.shape().getFirst().intValue();
                Hostile.refusable(() -> file.vector(tensor.name(), length));
                Hostile.refusable(() -> file.matrix(tensor.name(), 1, length));
            }
        }
    }
}
