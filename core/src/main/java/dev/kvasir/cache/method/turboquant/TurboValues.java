package dev.kvasir.cache.method.turboquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueStore;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** Values as rotated codes and a length, for each part of the channels; sums are turned back once a step. */
final class TurboValues implements ValueStore {
    private static final float[] NONE = {};
    private static final int CHUNK = 32;

    private final Kernels kernels;
    private final List<TurboPart> parts;
    private final TurboBasis basis;
    private final int headDim;
    private final List<PackedValues> codes;

    TurboValues(PagePool pool, Kernels kernels, List<TurboPart> parts, int headDim) {
        this(
                kernels,
                parts,
                new TurboBasis(parts, headDim),
                headDim,
                parts.stream()
                        .map(part -> new PackedValues(pool, kernels, part.values()))
                        .toList());
    }

    private TurboValues(
            Kernels kernels, List<TurboPart> parts, TurboBasis basis, int headDim, List<PackedValues> codes) {
        this.kernels = kernels;
        this.parts = parts;
        this.basis = basis;
        this.headDim = headDim;
        this.codes = codes;
    }

    @Override
    public int size() {
        return codes.getFirst().size();
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (PackedValues store : codes) {
            wanted += store.wantedBytes(tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (PackedValues store : codes) {
            store.reserve(tokens, claim);
        }
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (!basis.decided()) {
            basis.decide(rows, offset, stride, count);
        }
        int row = 0;
        while (row < count) {
            int run = Math.min(count - row, CHUNK - size() % CHUNK);
            int channel = 0;
            for (int i = 0; i < parts.size(); i++) {
                TurboPart part = parts.get(i);
                int width = part.width();
                float[] spare = scratch.spare(width * CHUNK + CHUNK);
                basis.gather(channel, width, rows, offset + row * stride, stride, run, spare, 0);
                for (int t = 0; t < run; t++) {
                    float squares = kernels.dot(spare, t * width, spare, t * width, width);
                    spare[width * CHUNK + t] = (float) Math.sqrt(squares);
                }
                part.rotation().apply(spare, 0, run);
                codes.get(i).appendGiven(spare, 0, width, run, spare, NONE, width * CHUNK, scratch);
                channel += width;
            }
            row += run;
        }
    }

    @Override
    public void addWeighted(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        if (parts.size() == 1) {
            codes.getFirst().addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
            return;
        }
        int channel = 0;
        for (int i = 0; i < parts.size(); i++) {
            int width = parts.get(i).width();
            float[] sums = scratch.spare(rows * width);
            Arrays.fill(sums, 0, rows * width, 0f);
            codes.get(i).addWeighted(weights, weightOffset, weightStride, rows, from, to, sums, 0, scratch);
            for (int r = 0; r < rows; r++) {
                int o = outOffset + r * headDim + channel;
                for (int c = 0; c < width; c++) {
                    out[o + c] += sums[r * width + c];
                }
            }
            channel += width;
        }
    }

    @Override
    public void finish(float[] sums, int offset, int rows, Scratch scratch) {
        if (parts.size() == 1) {
            parts.getFirst().rotation().invert(sums, offset, rows);
            return;
        }
        if (!basis.decided()) {
            return;
        }
        float[] turned = scratch.lanes(headDim);
        int[] order = basis.order();
        for (int r = 0; r < rows; r++) {
            int row = offset + r * headDim;
            int channel = 0;
            for (TurboPart part : parts) {
                part.rotation().invert(sums, row + channel, 1);
                channel += part.width();
            }
            for (int c = 0; c < headDim; c++) {
                turned[order[c]] = sums[row + c];
            }
            System.arraycopy(turned, 0, sums, row, headDim);
        }
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int newSize) {
        codes.forEach(store -> store.truncate(newSize));
        if (newSize == 0 && parts.size() > 1) {
            basis.order(new int[0]);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (PackedValues store : codes) {
            sum = sum.plus(store.footprint());
        }
        return sum;
    }

    @Override
    public TurboValues fork() {
        return new TurboValues(
                kernels,
                parts,
                basis.copy(),
                headDim,
                codes.stream().map(PackedValues::fork).toList());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        TurboKeys.writeOrder(basis, parts, out);
        for (PackedValues store : codes) {
            store.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        TurboKeys.readOrder(basis, parts, headDim, size, in);
        for (PackedValues store : codes) {
            store.read(in, size);
        }
    }

    @Override
    public void release() {
        codes.forEach(PackedValues::release);
    }
}
