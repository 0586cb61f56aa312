package dev.kvasir.train.data;

import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** The texts a tokenizer is trained and compared on: books, where there are any, and documents of every task. */
public final class TokenizerCorpus {
    private static final int DOCUMENTS_PER_TASK = 160;
    private static final int DOCUMENT_TOKENS = 1024;
    private static final int CHARACTERS_PER_TOKEN = 3;

    private TokenizerCorpus() {}

    /** One side of the corpus: every book's part, then the same number of documents of every task and of prose. */
    public static Stream<String> texts(Optional<Path> books, Split split) {
        List<Task> tasks = new ArrayList<>(Tasks.all());
        tasks.add(Tasks.byName("prose"));
        Stream<String> generated = tasks.stream()
                .flatMap(task -> LongStream.range(
                                0, split == Split.TRAIN ? DOCUMENTS_PER_TASK : DOCUMENTS_PER_TASK / 10)
                        .mapToObj(i -> task.sample(
                                        split, i, DOCUMENT_TOKENS, t -> t.length() / CHARACTERS_PER_TOKEN + 1)
                                .text()));
        return Stream.concat(books.stream().flatMap(folder -> BookSource.texts(folder, split).stream()), generated);
    }
}
