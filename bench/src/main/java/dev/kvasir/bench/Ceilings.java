package dev.kvasir.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What one thread of this machine can do at most: bytes read from memory, fused multiply-adds in registers. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Ceilings {
    /** Bytes of one {@link #read}: more than the caches that a core has for itself. */
    static final long BYTES = 256L << 20;

    /** Rounds of {@link #multiplyAdd}, of {@value #CHAINS} vectors each. */
    static final int ROUNDS = 10_000;

    private static final int CHAINS = 8;
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;

    private final MemorySegment memory = Arena.ofAuto().allocate(BYTES, 64).fill((byte) 0);

    /** Multiply-adds of one {@link #multiplyAdd}. */
    static long multiplyAdds() {
        return (long) ROUNDS * CHAINS * F.length();
    }

    /** Reads {@link #BYTES}. */
    @Benchmark
    public float read() {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        int width = F.vectorByteSize();
        for (long at = 0; at < BYTES; at += 4L * width) {
            a = a.add(FloatVector.fromMemorySegment(F, memory, at, ByteOrder.nativeOrder()));
            b = b.add(FloatVector.fromMemorySegment(F, memory, at + width, ByteOrder.nativeOrder()));
            c = c.add(FloatVector.fromMemorySegment(F, memory, at + 2L * width, ByteOrder.nativeOrder()));
            d = d.add(FloatVector.fromMemorySegment(F, memory, at + 3L * width, ByteOrder.nativeOrder()));
        }
        return a.add(b).add(c.add(d)).lane(0);
    }

    /** Makes {@link #multiplyAdds} of them, eight chains at a time. */
    @Benchmark
    public float multiplyAdd() {
        FloatVector x = FloatVector.broadcast(F, memory.byteSize() > 0 ? 0.999f : 0.5f);
        FloatVector y = FloatVector.broadcast(F, 1e-3f);
        FloatVector a = y;
        FloatVector b = x;
        FloatVector c = y.add(1);
        FloatVector d = y.add(2);
        FloatVector e = y.add(3);
        FloatVector f = y.add(4);
        FloatVector g = y.add(5);
        FloatVector h = y.add(6);
        for (int i = 0; i < ROUNDS; i++) {
            a = a.fma(x, y);
            b = b.fma(x, y);
            c = c.fma(x, y);
            d = d.fma(x, y);
            e = e.fma(x, y);
            f = f.fma(x, y);
            g = g.fma(x, y);
            h = h.fma(x, y);
        }
        return a.add(b).add(c.add(d)).add(e.add(f).add(g.add(h))).lane(0);
    }
}
