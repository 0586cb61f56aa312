package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.FLOAT;
import static dev.kvasir.cache.kernel.PackedLayout.SHORT;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;

/** The kernels written as their definitions: slow, short, the oracle of the tests. */
public final class ScalarKernels implements Kernels {
    @Override
    public float dot(float[] x, int xOffset, float[] y, int yOffset, int count) {
        float sum = 0;
        for (int i = 0; i < count; i++) {
            sum += x[xOffset + i] * y[yOffset + i];
        }
        return sum;
    }

    @Override
    public void dots(
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] panel,
            int panelOffset,
            int depth,
            float[] out,
            int outOffset,
            int outStride) {
        for (int r = 0; r < rows; r++) {
            for (int lane = 0; lane < PANEL; lane++) {
                float sum = 0;
                for (int j = 0; j < depth; j++) {
                    sum += x[xOffset + r * xStride + j] * panel[panelOffset + j * PANEL + lane];
                }
                out[outOffset + r * outStride + lane] = sum;
            }
        }
    }

    @Override
    public void sums(
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            int lanes,
            float[] out,
            int outOffset,
            int outStride) {
        for (int r = 0; r < rows; r++) {
            for (int lane = 0; lane < lanes; lane++) {
                float sum = out[outOffset + r * outStride + lane];
                for (int j = 0; j < depth; j++) {
                    sum += x[xOffset + r * xStride + j] * matrix[matrixOffset + j * matrixStride + lane];
                }
                out[outOffset + r * outStride + lane] = sum;
            }
        }
    }

    @Override
    public void decode(Element element, MemorySegment page, long byteOffset, int count, float[] out, int outOffset) {
        for (int i = 0; i < count; i++) {
            long offset = byteOffset + (long) i * element.bytes();
            out[outOffset + i] = switch (element) {
                case F32 -> page.get(FLOAT, offset);
                case BF16 -> Float.intBitsToFloat(page.get(SHORT, offset) << 16);
                case F16 -> Float.float16ToFloat(page.get(SHORT, offset));
            };
        }
    }

    @Override
    public void encode(Element element, float[] in, int inOffset, int count, MemorySegment page, long byteOffset) {
        for (int i = 0; i < count; i++) {
            long offset = byteOffset + (long) i * element.bytes();
            float value = in[inOffset + i];
            switch (element) {
                case F32 -> page.set(FLOAT, offset, value);
                case BF16 -> page.set(SHORT, offset, Element.bf16(value));
                case F16 -> page.set(SHORT, offset, Element.f16(value));
            }
        }
    }

    @Override
    public void accumulate(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            float[] out,
            int outOffset,
            float[] work) {
        for (int lane = laneFrom; lane < laneTo; lane++) {
            float sum = 0;
            for (int j = depthFrom; j < depthTo; j++) {
                float value = layout.scale(page, j, lane) * layout.code(page, j, lane) + layout.zero(page, j, lane);
                sum += x[xOffset + j - depthFrom] * value;
            }
            out[outOffset + lane - laneFrom] += sum;
        }
    }

    @Override
    public void unpack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        for (int j = depthFrom; j < depthTo; j++) {
            for (int lane = laneFrom; lane < laneTo; lane++) {
                out[outOffset + (j - depthFrom) * outStride + lane - laneFrom] =
                        layout.scale(page, j, lane) * layout.code(page, j, lane) + layout.zero(page, j, lane);
            }
        }
    }

    @Override
    public void pack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] work) {
        int group = layout.group();
        if (layout.axis() == Axis.PER_DEPTH) {
            for (int j = depthFrom; j < depthTo; j++) {
                for (int lane = laneFrom; lane < laneTo; lane += group) {
                    int first = inOffset + (j - depthFrom) * inStride + lane - laneFrom;
                    packGroup(layout, page, j, lane, in, first, 1);
                }
            }
        } else {
            for (int j = depthFrom; j < depthTo; j += group) {
                for (int lane = laneFrom; lane < laneTo; lane++) {
                    int first = inOffset + (j - depthFrom) * inStride + lane - laneFrom;
                    packGroup(layout, page, j, lane, in, first, inStride);
                }
            }
        }
    }

    /** Quantizes the group whose first element is {@code (depth, lane)}. */
    static void packGroup(
            PackedLayout layout, MemorySegment page, int depth, int lane, float[] in, int first, int stride) {
        int group = layout.group();
        float min = in[first];
        float max = in[first];
        float extreme = in[first];
        for (int i = 1; i < group; i++) {
            float value = in[first + i * stride];
            min = Math.min(min, value);
            max = Math.max(max, value);
            extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
        }
        Quantizer quantizer = layout.quantizer();
        float scale = quantizer.scale(min, max, extreme, layout.bits());
        boolean perDepth = layout.axis() == Axis.PER_DEPTH;
        int groupIndex = (perDepth ? lane : depth) / group;
        long parameter = (perDepth ? depth : lane) * 2L;
        page.set(SHORT, layout.scaleOffset(groupIndex) + parameter, Element.f16(scale));
        float zero = 0;
        if (quantizer.hasZero()) {
            page.set(SHORT, layout.zeroOffset(groupIndex) + parameter, Element.f16(min));
            scale = Element.F16.round(scale);
            zero = Element.F16.round(min);
        } else {
            scale = scale == 0 ? 0 : 1 / scale;
        }
        for (int i = 0; i < group; i++) {
            int code = quantizer.code(in[first + i * stride], scale, zero, layout.bits());
            layout.setCode(page, perDepth ? depth : depth + i, perDepth ? lane + i : lane, code);
        }
    }

    @Override
    public float max(float[] x, int offset, int count) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            max = Math.max(max, x[offset + i]);
        }
        return max;
    }

    @Override
    public float expSum(float[] x, int offset, int count, float max) {
        float sum = 0;
        for (int i = 0; i < count; i++) {
            float weight = (float) Math.exp(x[offset + i] - max);
            x[offset + i] = weight;
            sum += weight;
        }
        return sum;
    }

    @Override
    public void scale(float[] x, int offset, int count, float factor) {
        for (int i = 0; i < count; i++) {
            x[offset + i] *= factor;
        }
    }
}
