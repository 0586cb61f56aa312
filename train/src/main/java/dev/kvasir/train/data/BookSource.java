package dev.kvasir.train.data;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Split;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * Windows of plain-text books: training sees the first nine tenths of each, tests the last tenth. Line breaks inside a
 * paragraph are read as spaces.
 */
public final class BookSource implements RowSource {
    private final List<int[]> train = new ArrayList<>();
    private final List<int[]> test = new ArrayList<>();

    /** Reads and encodes every {@code .txt} of the folder, in the order of their names. */
    public BookSource(Path folder, Tokenizer tokenizer) {
        for (String text : texts(folder, Split.TRAIN)) {
            train.add(tokenizer.encode(text));
        }
        for (String text : texts(folder, Split.TEST)) {
            test.add(tokenizer.encode(text));
        }
    }

    @Override
    public String name() {
        return "books";
    }

    @Override
    public Row row(Split split, long index, int length) {
        List<int[]> books = split == Split.TRAIN ? train : test;
        SplittableRandom random = Mixing.random(name(), split, index, length);
        long windows =
                books.stream().mapToLong(b -> Math.max(0, b.length - length)).sum();
        if (windows <= 0) {
            throw new InvalidInputException("books: none has " + (length + 1) + " tokens");
        }
        long at = random.nextLong(windows);
        for (int[] book : books) {
            long here = Math.max(0, book.length - length);
            if (at < here) {
                int[] ids = Arrays.copyOfRange(book, (int) at, (int) at + length + 1);
                float[] weights = new float[length + 1];
                Arrays.fill(weights, 1);
                return new Row(ids, weights, List.of());
            }
            at -= here;
        }
        throw new IllegalStateException("window beyond the last book");
    }

    /** One side of every book of the folder, whole paragraphs on a line each. */
    public static List<String> texts(Path folder, Split split) {
        List<Path> files;
        try (Stream<Path> listing = Files.list(folder)) {
            files = listing.filter(f -> f.toString().endsWith(".txt")).sorted().toList();
        } catch (IOException e) {
            throw new InvalidFileException(folder, "cannot list the folder of books", e);
        }
        if (files.isEmpty()) {
            throw new InvalidFileException(folder, "found no .txt file, expected at least one book");
        }
        List<String> texts = new ArrayList<>();
        for (Path file : files) {
            try {
                String text = joinLines(Files.readString(file));
                int cut = text.lastIndexOf('\n', (int) (text.length() * 0.9)) + 1;
                texts.add(split == Split.TRAIN ? text.substring(0, cut) : text.substring(cut));
            } catch (IOException e) {
                throw new InvalidFileException(file, "cannot be read as UTF-8 text", e);
            }
        }
        return texts;
    }

    private static String joinLines(String text) {
        return text.replace("\r\n", "\n")
                .replaceAll("(?<!\n)[ \t]*\n(?!\n)[ \t]*", " ")
                .replaceAll("\n{2,}", "\n")
                .replaceAll(" {2,}", " ");
    }
}
