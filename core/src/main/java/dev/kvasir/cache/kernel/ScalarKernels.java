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
                sum += x[xOffset + j - depthFrom] * layout.value(page, j, lane);
            }
            out[outOffset + lane - laneFrom] += sum;
        }
    }

    @Override
    public void accumulateRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        for (int r = 0; r < rows; r++) {
            int o = outOffset + r * outStride;
            int from = xOffset + r * xStride;
            accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, from, out, o, work);
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
                out[outOffset + (j - depthFrom) * outStride + lane - laneFrom] = layout.value(page, j, lane);
            }
        }
    }

    @Override
    public void unpackRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            int[] rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        for (int j = depthFrom; j < depthTo; j++) {
            for (int lane = laneFrom; lane < laneTo; lane++) {
                out[outOffset + rows[j] * outStride + lane - laneFrom] = layout.value(page, j, lane);
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
        boolean perDepth = layout.axis() == Axis.PER_DEPTH;
        Quantizer quantizer = layout.quantizer();
        int depths = perDepth ? 1 : layout.group();
        int lanes = perDepth ? layout.group() : 1;
        int stride = perDepth ? 1 : inStride;
        for (int j = depthFrom; j < depthTo; j += depths) {
            for (int lane = laneFrom; lane < laneTo; lane += lanes) {
                int first = inOffset + (j - depthFrom) * inStride + lane - laneFrom;
                GroupFit.fit(quantizer, layout.most(), in, first, stride, layout.group(), work, 0);
                layout.setParameters(page, j, lane, work[GroupFit.SCALE], work[GroupFit.ZERO]);
                encode(layout, page, lane, lane + lanes, j, j + depths, in, first, inStride, work);
            }
        }
    }

    @Override
    public void packGiven(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] work) {
        int group = layout.group();
        boolean perDepth = layout.axis() == Axis.PER_DEPTH;
        for (int j = depthFrom; j < depthTo; j++) {
            for (int lane = laneFrom; lane < laneTo; lane++) {
                int index = perDepth
                        ? (lane / group - laneFrom / group) * (depthTo - depthFrom) + j - depthFrom
                        : (j / group - depthFrom / group) * (laneTo - laneFrom) + lane - laneFrom;
                float scale = scales[parameterOffset + index];
                float zero = VectorPack.zero(zeros, parameterOffset + index);
                GroupFit.given(layout.quantizer(), scale, zero, work, 0);
                layout.setParameters(page, j, lane, scale, zero);
                int first = inOffset + (j - depthFrom) * inStride + lane - laneFrom;
                encode(layout, page, lane, lane + 1, j, j + 1, in, first, inStride, work);
            }
        }
    }

    @Override
    public void unpackGiven(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int depthTo,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] out,
            int outOffset) {
        for (int j = 0; j < depthTo - depthFrom; j++) {
            float scale = scales[parameterOffset + j];
            float zero = zeros[parameterOffset + j];
            for (int i = 0; i < PANEL; i++) {
                float level = layout.quantizer().level(layout.code(page, depthFrom + j, lane + i));
                out[outOffset + j * PANEL + i] = Math.fma(level, scale, zero);
            }
        }
    }

    @Override
    public void turnedScores(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int half,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] cosines,
            float[] sines,
            float[] query,
            int queryOffset,
            float[] out,
            int outOffset) {
        for (int j = 0; j < PANEL; j++) {
            float sum = 0;
            for (int i = 0; i < half; i++) {
                float a = given(layout, page, lane + j, depthFrom + i, scales, zeros, parameterOffset + i);
                float b =
                        given(layout, page, lane + j, depthFrom + half + i, scales, zeros, parameterOffset + half + i);
                float x = query[queryOffset + i];
                float y = query[queryOffset + half + i];
                sum += cosines[i * PANEL + j] * (x * a + y * b) + sines[i * PANEL + j] * (y * a - x * b);
            }
            out[outOffset + j] = sum;
        }
    }

    private static float given(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depth,
            float[] scales,
            float[] zeros,
            int parameter) {
        return Math.fma(layout.quantizer().level(layout.code(page, depth, lane)), scales[parameter], zeros[parameter]);
    }

    /** Replaces codes with one scale and zero, those of the fit in {@code work}. */
    private static void encode(
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
        for (int j = depthFrom; j < depthTo; j++) {
            for (int lane = laneFrom; lane < laneTo; lane++) {
                float x = in[inOffset + (j - depthFrom) * inStride + lane - laneFrom];
                float scale = work[GroupFit.BY];
                int code = layout.quantizer().code(x, scale, work[GroupFit.FROM], layout.most());
                layout.setCode(page, j, lane, code);
            }
        }
    }

    @Override
    public void stepDown(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out, int[] factors) {
        StepDown.scalar(from, page, to, out, factors);
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
