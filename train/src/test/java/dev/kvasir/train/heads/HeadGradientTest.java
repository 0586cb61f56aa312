package dev.kvasir.train.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.method.locret.RetainingHead;
import dev.kvasir.tensor.Workers;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HeadGradientTest {
    private static final CacheShape GQA = new CacheShape(3, 6, 2, 8, 24);
    private static final double ALPHA = 0.03;

    private static float[] numbers(Random random, int count, double spread) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) (random.nextGaussian() * spread);
        }
        return numbers;
    }

    /** A prompt, a head and labels of which some are near and some far. */
    private record Case(
            CacheShape shape, float[] q, float[] k, float[] v, int count, RetainingHead head, float[] labels) {
        static Case of(CacheShape shape, int count, int width) {
            Random random = new Random(3);
            return new Case(
                    shape,
                    numbers(random, count * shape.heads() * shape.headDim(), 1),
                    numbers(random, count * shape.kvHeads() * shape.headDim(), 1),
                    numbers(random, count * shape.kvHeads() * shape.headDim(), 1),
                    count,
                    new RetainingHead(
                            shape,
                            width,
                            numbers(random, RetainingHead.inputs(shape) * width, 0.2),
                            numbers(random, width * shape.kvHeads(), 0.3)),
                    numbers(random, count * shape.kvHeads(), 1.5));
        }

        /** The loss as the paper writes it, all in double. */
        double loss() {
            int kvHeads = shape.kvHeads();
            double[][] s = new double[count][kvHeads];
            for (int t = 0; t < count; t++) {
                s[t] = scores(t);
            }
            double fit = 0;
            double smooth = 0;
            for (int t = 0; t < count; t++) {
                for (int j = 0; j < kvHeads; j++) {
                    double x = Math.abs(s[t][j] - labels[t * kvHeads + j]);
                    fit += x < 1 ? 0.5 * x * x : x - 0.5;
                    smooth += t + 1 < count ? Math.pow(s[t][j] - s[t + 1][j], 2) : 0;
                }
            }
            return fit / (count * kvHeads * shape.layers()) + ALPHA * smooth / (kvHeads * (count - 1));
        }

        double[] scores(int token) {
            int width = head.width();
            double[] s = new double[shape.kvHeads()];
            for (int r = 0; r < width; r++) {
                double z = 0;
                for (int i = 0; i < RetainingHead.inputs(shape); i++) {
                    z += input(token, i) * head.w1()[i * width + r];
                }
                double a = z / (1 + Math.exp(-z));
                for (int j = 0; j < s.length; j++) {
                    s[j] += a * head.w2()[r * s.length + j];
                }
            }
            return s;
        }

        private double input(int token, int i) {
            int queries = shape.heads() * shape.headDim();
            int keys = shape.kvHeads() * shape.headDim();
            if (i < queries) {
                return q[token * queries + i];
            }
            return i < queries + keys ? k[token * keys + i - queries] : v[token * keys + i - queries - keys];
        }
    }

    @Test
    void gradientsMatchFiniteDifferences() {
        for (CacheShape shape : new CacheShape[] {GQA, new CacheShape(1, 2, 2, 4, 8)}) {
            Case c = Case.of(shape, 70, 5);
            try (Workers workers = Workers.of(2)) {
                HeadGradient gradient = new HeadGradient(shape, workers, 1.0 / shape.layers(), ALPHA);
                double loss = gradient.compute(c.head, c.q, c.k, c.v, c.count, c.labels);

                assertThat(loss).isCloseTo(c.loss(), offset(1e-5));
                check(c, c.head.w1(), gradient.w1());
                check(c, c.head.w2(), gradient.w2());
            }
        }
    }

    private static void check(Case c, float[] weights, float[] gradient) {
        float step = 1f / 512;
        for (int i = 0; i < weights.length; i += Math.max(1, weights.length / 40)) {
            float old = weights[i];
            weights[i] = old + step;
            double above = c.loss();
            float high = weights[i];
            weights[i] = old - step;
            double below = c.loss();
            double slope = (above - below) / (high - weights[i]);
            weights[i] = old;
            assertThat((double) gradient[i]).isCloseTo(slope, offset(2e-5 + 2e-3 * Math.abs(slope)));
        }
    }

    @Test
    void scoresAreTheHeadsOwn() {
        Case c = Case.of(GQA, 33, 19);
        try (Workers workers = Workers.of(1)) {
            HeadGradient gradient = new HeadGradient(GQA, workers, 1, 0);
            gradient.compute(c.head, c.q, c.k, c.v, c.count, c.labels);
            float[] scores = new float[33 * 2];
            c.head.score(c.q, c.k, c.v, 0, 33, new float[c.head.roomFor(33)], scores, 0);

            assertThat(gradient.scores()).isEqualTo(scores);
        }
    }

    @Test
    void labelsAreTheLargestLogitsOfTheAnswerOverTheGroup() {
        for (CacheShape shape :
                new CacheShape[] {GQA, new CacheShape(1, 3, 3, 10, 30), new CacheShape(1, 4, 1, 16, 8)}) {
            Random random = new Random(8);
            int prompt = 131;
            int answer = 9;
            int tokens = prompt + answer;
            int group = shape.queriesPerKvHead();
            float[] q = numbers(random, tokens * shape.heads() * shape.headDim(), 1);
            float[] k = numbers(random, tokens * shape.kvHeads() * shape.headDim(), 1);
            try (Workers workers = Workers.of(2)) {
                float[] labels = new AnswerLogits(shape, workers).of(q, k, prompt, answer);

                assertThat(labels).hasSize(prompt * shape.kvHeads());
                for (int t = 0; t < prompt; t++) {
                    for (int j = 0; j < shape.kvHeads(); j++) {
                        double most = Double.NEGATIVE_INFINITY;
                        for (int r = prompt; r < tokens; r++) {
                            for (int h = j * group; h < (j + 1) * group; h++) {
                                most = Math.max(most, logit(shape, q, k, r, h, t, j));
                            }
                        }
                        assertThat((double) labels[t * shape.kvHeads() + j]).isCloseTo(most, offset(1e-4));
                    }
                }
            }
        }
    }

    private static double logit(CacheShape shape, float[] q, float[] k, int row, int head, int token, int kvHead) {
        double sum = 0;
        for (int c = 0; c < shape.headDim(); c++) {
            sum += (double) q[(row * shape.heads() + head) * shape.headDim() + c]
                    * k[(token * shape.kvHeads() + kvHead) * shape.headDim() + c];
        }
        return sum / Math.sqrt(shape.headDim());
    }

    @Test
    void overlapIsTheShareOfTheBestTenthThatIsKept() {
        float[] labels = new float[200];
        float[] scores = new float[200];
        for (int t = 0; t < 100; t++) {
            labels[2 * t] = t;
            labels[2 * t + 1] = t;
            scores[2 * t] = t < 95 ? t : -t;
            scores[2 * t + 1] = -t;
        }
        Overlap overlap = new Overlap();
        overlap.add(scores, labels, 2);

        // Head 0 has tokens 90 to 94 of 90 to 99; head 1 has none.
        assertThat(overlap.mean()).isEqualTo(0.25);
    }
}
