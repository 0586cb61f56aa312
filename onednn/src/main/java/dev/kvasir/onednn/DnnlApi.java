package dev.kvasir.onednn;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.bytedeco.javacpp.Loader;

/**
 * The functions of oneDNN's C interface that are used here (oneAPI Deep Neural Network Library 3.11, {@code dnnl.h}), and one
 * of GNU's OpenMP library, which it is built with.
 *
 * <p>Every function that returns a status throws where it is not 0.
 */
@SuppressWarnings("restricted") // Calling native functions is what this class is for.
final class DnnlApi {
    static final int BF16 = 2;
    static final int F32 = 3;
    static final int SOURCE = 1;
    static final int DESTINATION = 17;
    static final int WEIGHTS = 33;
    static final int SCRATCHPAD = 80;

    private static final int CPU = 1;
    private static final int IN_ORDER = 1;
    private static final int SCRATCHPAD_BY_USER = 1;
    private static final int QUERY_SCRATCHPAD = 136;
    private static final int DIMENSIONS = 12;
    private static final String FOLDER = "/org/bytedeco/dnnl/linux-x86_64/";
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final MemoryLayout ADDRESS = ValueLayout.ADDRESS;

    private final Linker linker = Linker.nativeLinker();
    private final SymbolLookup library;
    private final MethodHandle isa;
    private final MethodHandle engineCreate;
    private final MethodHandle streamCreate;
    private final MethodHandle descCreate;
    private final MethodHandle descSize;
    private final MethodHandle descDestroy;
    private final MethodHandle attributesCreate;
    private final MethodHandle attributesScratchpad;
    private final MethodHandle attributesDestroy;
    private final MethodHandle matmul;
    private final MethodHandle query;
    private final MethodHandle primitiveDescDestroy;
    private final MethodHandle primitiveCreate;
    private final MethodHandle primitiveDestroy;
    private final MethodHandle execute;
    private final MethodHandle memoryCreate;
    private final MethodHandle memoryHandle;
    private final MethodHandle memoryDestroy;
    private final MethodHandle streamDestroy;
    private final MethodHandle ompThreads;

    /** Thrown by {@link #load} and by functions that fail. */
    static final class DnnlException extends RuntimeException {
        private static final long serialVersionUID = 1;

        DnnlException(String message, Throwable cause) {
            super(message, cause);
        }

        DnnlException(String message) {
            super(message);
        }
    }

    /** Unpacks the native library, once for each version, to JavaCPP's cache (about 90 MB below {@code ~/.javacpp}), and binds it. */
    static DnnlApi load() {
        try {
            File openMp = Loader.cacheResource(DnnlApi.class, FOLDER + "libgomp.so.1");
            File dnnl = Loader.cacheResource(DnnlApi.class, FOLDER + "libdnnl.so.3");
            if (openMp == null || dnnl == null) {
                throw new DnnlException("there is no oneDNN for this platform");
            }
            return new DnnlApi(
                    SymbolLookup.libraryLookup(dnnl.toPath(), Arena.global()),
                    SymbolLookup.libraryLookup(openMp.toPath(), Arena.global()));
        } catch (IOException | IllegalArgumentException | LinkageError e) {
            throw new DnnlException("oneDNN cannot be loaded: " + e.getMessage(), e);
        }
    }

    private DnnlApi(SymbolLookup library, SymbolLookup openMp) {
        this.library = library;
        isa = handle("dnnl_get_effective_cpu_isa");
        engineCreate = handle("dnnl_engine_create", ADDRESS, INT, LONG);
        streamCreate = handle("dnnl_stream_create", ADDRESS, ADDRESS, INT);
        streamDestroy = handle("dnnl_stream_destroy", ADDRESS);
        descCreate = handle("dnnl_memory_desc_create_with_strides", ADDRESS, INT, ADDRESS, INT, ADDRESS);
        descDestroy = handle("dnnl_memory_desc_destroy", ADDRESS);
        descSize = linker.downcallHandle(
                library.findOrThrow("dnnl_memory_desc_get_size"), FunctionDescriptor.of(LONG, ADDRESS));
        attributesCreate = handle("dnnl_primitive_attr_create", ADDRESS);
        attributesScratchpad = handle("dnnl_primitive_attr_set_scratchpad_mode", ADDRESS, INT);
        attributesDestroy = handle("dnnl_primitive_attr_destroy", ADDRESS);
        matmul = handle(
                "dnnl_matmul_primitive_desc_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
        query = linker.downcallHandle(
                library.findOrThrow("dnnl_primitive_desc_query_md"),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ADDRESS, INT, INT));
        primitiveDescDestroy = handle("dnnl_primitive_desc_destroy", ADDRESS);
        primitiveCreate = handle("dnnl_primitive_create", ADDRESS, ADDRESS);
        primitiveDestroy = handle("dnnl_primitive_destroy", ADDRESS);
        execute = handle("dnnl_primitive_execute", ADDRESS, ADDRESS, INT, ADDRESS);
        memoryCreate = handle("dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
        memoryHandle = handle("dnnl_memory_set_data_handle", ADDRESS, ADDRESS);
        memoryDestroy = handle("dnnl_memory_destroy", ADDRESS);
        ompThreads = linker.downcallHandle(openMp.findOrThrow("omp_set_num_threads"), FunctionDescriptor.ofVoid(INT));
    }

    private MethodHandle handle(String name, MemoryLayout... arguments) {
        return linker.downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(INT, arguments));
    }

    private interface Call {
        int run() throws Throwable;
    }

    private static int status(Call call) {
        try {
            return call.run();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new DnnlException("a call of oneDNN failed", e);
        }
    }

    private static void check(String what, Call call) {
        int status = status(call);
        if (status != 0) {
            throw new DnnlException("oneDNN: " + what + " failed with status " + status);
        }
    }

    private static MemorySegment out(Arena arena) {
        return arena.allocate(ValueLayout.ADDRESS);
    }

    private static MemorySegment address(MemorySegment out) {
        return out.get(ValueLayout.ADDRESS, 0);
    }

    /** A set of bits: which instructions the library uses here. */
    int isa() {
        return status(() -> (int) isa.invokeExact());
    }

    /** From now on OpenMP regions of the calling thread run on it alone. */
    void oneThread() {
        status(() -> {
            ompThreads.invokeExact(1);
            return 0;
        });
    }

    MemorySegment engine() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = out(arena);
            check("the engine", () -> (int) engineCreate.invoke(out, CPU, 0L));
            return address(out);
        }
    }

    MemorySegment stream(MemorySegment engine) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = out(arena);
            check("a stream", () -> (int) streamCreate.invoke(out, engine, IN_ORDER));
            return address(out);
        }
    }

    void destroyStream(MemorySegment stream) {
        status(() -> (int) streamDestroy.invoke(stream));
    }

    /** A description of a matrix {@code [rows][columns]} of a type. */
    MemorySegment matrix(int type, long rows, long columns, long rowStride, long columnStride) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = out(arena);
            MemorySegment sizes = arena.allocate(LONG, DIMENSIONS);
            sizes.setAtIndex(LONG, 0, rows);
            sizes.setAtIndex(LONG, 1, columns);
            MemorySegment strides = arena.allocate(LONG, DIMENSIONS);
            strides.setAtIndex(LONG, 0, rowStride);
            strides.setAtIndex(LONG, 1, columnStride);
            check("a matrix", () -> (int) descCreate.invoke(out, 2, sizes, type, strides));
            return address(out);
        }
    }

    void destroyMatrix(MemorySegment matrix) {
        status(() -> (int) descDestroy.invoke(matrix));
    }

    /** A description of the product {@code destination = source * weights}, whose scratchpad its caller gives. */
    MemorySegment product(
            MemorySegment engine, MemorySegment source, MemorySegment weights, MemorySegment destination) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = out(arena);
            check("attributes", () -> (int) attributesCreate.invoke(attributes));
            MemorySegment held = address(attributes);
            try {
                check("the scratchpad", () -> (int) attributesScratchpad.invoke(held, SCRATCHPAD_BY_USER));
                MemorySegment out = out(arena);
                check("a product", () ->
                        (int) matmul.invoke(out, engine, source, weights, MemorySegment.NULL, destination, held));
                return address(out);
            } finally {
                status(() -> (int) attributesDestroy.invoke(held));
            }
        }
    }

    void destroyProduct(MemorySegment product) {
        status(() -> (int) primitiveDescDestroy.invoke(product));
    }

    /** The description of a product's scratchpad; the product owns it. */
    MemorySegment scratchpad(MemorySegment product) {
        MemorySegment[] found = {MemorySegment.NULL};
        status(() -> {
            found[0] = (MemorySegment) query.invoke(product, QUERY_SCRATCHPAD, 0);
            return 0;
        });
        return found[0];
    }

    long bytes(MemorySegment matrix) {
        long[] found = {0};
        status(() -> {
            found[0] = (long) descSize.invoke(matrix);
            return 0;
        });
        return found[0];
    }

    MemorySegment primitive(MemorySegment product) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = out(arena);
            check("a primitive", () -> (int) primitiveCreate.invoke(out, product));
            return address(out);
        }
    }

    void destroyPrimitive(MemorySegment primitive) {
        status(() -> (int) primitiveDestroy.invoke(primitive));
    }

    /** A matrix that lies nowhere yet. */
    MemorySegment memory(MemorySegment matrix, MemorySegment engine) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = out(arena);
            check("memory", () -> (int) memoryCreate.invoke(out, matrix, engine, MemorySegment.NULL));
            return address(out);
        }
    }

    void place(MemorySegment memory, MemorySegment data) {
        check("a place", () -> (int) memoryHandle.invoke(memory, data));
    }

    void destroyMemory(MemorySegment memory) {
        status(() -> (int) memoryDestroy.invoke(memory));
    }

    /** Runs a primitive with {@code arguments [count] {int; address}}. */
    void execute(MemorySegment primitive, MemorySegment stream, int count, MemorySegment arguments) {
        check("the product", () -> (int) execute.invoke(primitive, stream, count, arguments));
    }
}
