package dev.kvasir.onednn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner;
import java.util.ArrayList;
import java.util.List;

/**
 * A product of one shape, made once and then run on any data by one thread: {@code out[t][r] = sum over c of x[t][c] *
 * w[r][c]}. What it holds outside of the heap goes with it.
 */
final class PreparedProduct {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final int ARGUMENT = 16;
    private static final int ALIGNMENT = 64;

    private final DnnlApi api;
    private final MemorySegment stream;
    private final MemorySegment primitive;
    private final MemorySegment source;
    private final MemorySegment weights;
    private final MemorySegment destination;
    private final MemorySegment arguments;
    private final Cleaner.Cleanable cleanable;

    /** Everything to be destroyed; it must not know the product. */
    private static final class Held implements Runnable {
        private final Arena arena = Arena.ofShared();
        private final List<Runnable> destroyers = new ArrayList<>();

        @Override
        public void run() {
            for (int i = destroyers.size() - 1; i >= 0; i--) {
                destroyers.get(i).run();
            }
            arena.close();
        }
    }

    /** The product of {@code tokens} inputs with {@code rows} weight rows of {@code columns}. */
    PreparedProduct(DnnlApi api, MemorySegment engine, int tokens, int rows, int columns) {
        this.api = api;
        Held held = new Held();
        stream = api.stream(engine);
        MemorySegment sourceDesc = api.matrix(DnnlApi.BF16, tokens, columns, columns, 1);
        MemorySegment weightsDesc = api.matrix(DnnlApi.BF16, columns, rows, 1, columns);
        MemorySegment destinationDesc = api.matrix(DnnlApi.F32, tokens, rows, rows, 1);
        MemorySegment product = api.product(engine, sourceDesc, weightsDesc, destinationDesc);
        MemorySegment scratchpadDesc = api.scratchpad(product);
        primitive = api.primitive(product);
        source = api.memory(sourceDesc, engine);
        weights = api.memory(weightsDesc, engine);
        destination = api.memory(destinationDesc, engine);
        MemorySegment scratchpad = api.memory(scratchpadDesc, engine);
        api.place(scratchpad, held.arena.allocate(Math.max(ALIGNMENT, api.bytes(scratchpadDesc)), ALIGNMENT));
        arguments = held.arena.allocate(4 * ARGUMENT, 8);
        argument(0, DnnlApi.SOURCE, source);
        argument(1, DnnlApi.WEIGHTS, weights);
        argument(2, DnnlApi.DESTINATION, destination);
        argument(3, DnnlApi.SCRATCHPAD, scratchpad);
        destroyLater(held, api, stream, primitive, List.of(source, weights, destination, scratchpad));
        List.of(sourceDesc, weightsDesc, destinationDesc).forEach(api::destroyMatrix);
        api.destroyProduct(product);
        cleanable = CLEANER.register(this, held);
    }

    /** Static, so that what is kept for the end does not keep the product. */
    private static void destroyLater(
            Held held, DnnlApi api, MemorySegment stream, MemorySegment primitive, List<MemorySegment> memories) {
        held.destroyers.add(() -> api.destroyStream(stream));
        held.destroyers.add(() -> api.destroyPrimitive(primitive));
        memories.forEach(memory -> held.destroyers.add(() -> api.destroyMemory(memory)));
    }

    private void argument(int at, int kind, MemorySegment memory) {
        arguments.set(ValueLayout.JAVA_INT, (long) at * ARGUMENT, kind);
        arguments.set(ValueLayout.ADDRESS, (long) at * ARGUMENT + 8, memory);
    }

    /** Multiplies; all three lie outside of the heap. */
    void run(MemorySegment x, MemorySegment w, MemorySegment out) {
        api.place(source, x);
        api.place(weights, w);
        api.place(destination, out);
        api.execute(primitive, stream, 4, arguments);
    }

    /** Lets go of everything now. */
    void close() {
        cleanable.clean();
    }
}
