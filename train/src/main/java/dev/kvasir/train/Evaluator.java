package dev.kvasir.train;

import dev.kvasir.lab.task.Split;
import dev.kvasir.tokenizer.Tokenizer;
import dev.kvasir.train.data.Row;
import dev.kvasir.train.data.RowSource;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.net.Tensors;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Measures a net on rows of the test split, all predictions of a row in one pass. */
public final class Evaluator {
    private final Map<String, RowSource> sources;
    private final Tokenizer tokenizer;
    private final int length;
    private final int rows;

    /** An evaluator on {@code rows} rows of {@code length} predictions from each source. */
    public Evaluator(Map<String, RowSource> sources, Tokenizer tokenizer, int length, int rows) {
        this.sources = sources;
        this.tokenizer = tokenizer;
        this.length = length;
        this.rows = rows;
    }

    /** Scores the net as it is. */
    public EvaluationReport evaluate(LlamaNet net) {
        Map<String, EvaluationReport.Score> scores = new LinkedHashMap<>();
        try (PointerScope _ = new PointerScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (Map.Entry<String, RowSource> source : sources.entrySet()) {
                Tally tally = new Tally();
                for (int r = 0; r < rows; r++) {
                    score(net, source.getValue().row(Split.TEST, r, length), tally);
                }
                scores.put(source.getKey(), tally.score());
            }
        }
        return new EvaluationReport(scores);
    }

    private void score(LlamaNet net, Row row, Tally tally) {
        long[] inputs = new long[length];
        long[] targets = new long[length];
        for (int i = 0; i < length; i++) {
            inputs[i] = row.ids()[i];
            targets[i] = row.ids()[i + 1];
        }
        try (PointerScope _ = new PointerScope()) {
            Tensor logits = net.logits(net.hidden(Tensors.of(inputs, 1, length)));
            Tensor target = Tensors.of(targets, length, 1);
            float[] chosen = Tensors.floats(torch.log_softmax(logits, -1).gather(1, target));
            long[] best = Tensors.longs(logits.argmax(new LongOptional(-1), false));
            tally.add(row, chosen, best);
        }
    }

    private final class Tally {
        private double nats;
        private long counted;
        private long bytes;
        private int answers;
        private int right;

        void add(Row row, float[] chosen, long[] best) {
            int[] countedIds = new int[length];
            int n = 0;
            for (int i = 0; i < length; i++) {
                if (row.weights()[i + 1] > 0) {
                    nats -= chosen[i];
                    countedIds[n++] = row.ids()[i + 1];
                }
            }
            counted += n;
            bytes += tokenizer.decode(java.util.Arrays.copyOf(countedIds, n)).getBytes(StandardCharsets.UTF_8).length;
            for (Row.TokenSpan answer : row.answers()) {
                boolean all = true;
                for (int t = answer.from(); t < answer.to() && t <= length; t++) {
                    all &= best[t - 1] == row.ids()[t];
                }
                answers++;
                right += all ? 1 : 0;
            }
        }

        EvaluationReport.Score score() {
            return new EvaluationReport.Score(
                    nats / counted,
                    nats / Math.log(2) / bytes,
                    answers == 0 ? Double.NaN : (double) right / answers,
                    answers);
        }
    }
}
