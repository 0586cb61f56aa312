package dev.kvasir.cache.store;

import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Pages of one size in a row, some of them perhaps shared with forks. */
final class PageRun {
    private static final Page[] NONE = {};
    /** Bytes read or written at a time. */
    private static final int PIECE = 1 << 20;

    private final PagePool pool;
    private final long pageBytes;
    private Page[] pages = NONE;
    private int count;

    PageRun(PagePool pool, long pageBytes) {
        this.pool = pool;
        this.pageBytes = pageBytes;
    }

    /** Pages held. */
    int count() {
        return count;
    }

    /** Bytes held. */
    long bytes() {
        return count * pageBytes;
    }

    long pageBytes() {
        return pageBytes;
    }

    MemorySegment page(int index) {
        return pages[index].bytes();
    }

    /** Bytes needed to have {@code wanted} pages of which those from {@code writeFrom} to {@code writeTo - 1} are ours alone. */
    long wantedBytes(int wanted, int writeFrom, int writeTo) {
        int pagesWanted = Math.max(0, wanted - count);
        for (int i = writeFrom; i < Math.min(writeTo, count); i++) {
            pagesWanted += pages[i].shared() ? 1 : 0;
        }
        return pagesWanted * pageBytes;
    }

    /** Takes what {@link #wantedBytes} counted; new pages are zero. */
    void reserve(int wanted, int writeFrom, int writeTo, PagePool.Claim claim) {
        for (int i = writeFrom; i < Math.min(writeTo, count); i++) {
            if (pages[i].shared()) {
                Page copy = claim.page(pageBytes);
                copy.bytes().copyFrom(pages[i].bytes());
                pool.release(pages[i]);
                pages[i] = copy;
            }
        }
        while (count < wanted) {
            add(claim.page(pageBytes));
            page(count - 1).fill((byte) 0);
        }
    }

    private void add(Page page) {
        if (count == pages.length) {
            pages = Arrays.copyOf(pages, Math.max(4, count + count / 2));
        }
        pages[count++] = page;
    }

    /** Exchanges two pages, whoever holds them. */
    void swap(int a, int b) {
        Page page = pages[a];
        pages[a] = pages[b];
        pages[b] = page;
    }

    /** Gives back all pages from {@code kept} on. */
    void shrink(int kept) {
        while (count > kept) {
            count--;
            pool.release(pages[count]);
        }
    }

    /** A second run of the same pages. */
    PageRun fork() {
        PageRun fork = new PageRun(pool, pageBytes);
        fork.pages = Arrays.copyOf(pages, count);
        fork.count = count;
        for (int i = 0; i < count; i++) {
            pool.share(pages[i]);
        }
        return fork;
    }

    void write(DataOutput out, int wanted) throws IOException {
        byte[] buffer = new byte[(int) Math.min(pageBytes, PIECE)];
        for (int i = 0; i < wanted; i++) {
            for (long done = 0; done < pageBytes; done += buffer.length) {
                int length = (int) Math.min(buffer.length, pageBytes - done);
                MemorySegment.copy(page(i), ValueLayout.JAVA_BYTE, done, buffer, 0, length);
                out.write(buffer, 0, length);
            }
        }
    }

    /** Reads {@code wanted} pages, taking each from the pool only when the bytes before it have arrived. */
    void read(DataInput in, int wanted) throws IOException {
        while (count < wanted) {
            // Piece by piece: a page may be as large as a hostile file says.
            List<byte[]> pieces = new ArrayList<>();
            for (long done = 0; done < pageBytes; done += PIECE) {
                byte[] piece = new byte[(int) Math.min(PIECE, pageBytes - done)];
                in.readFully(piece);
                pieces.add(piece);
            }
            try (PagePool.Claim claim = pool.claim(pageBytes)) {
                add(claim.page(pageBytes));
            }
            long done = 0;
            for (byte[] piece : pieces) {
                MemorySegment.copy(piece, 0, page(count - 1), ValueLayout.JAVA_BYTE, done, piece.length);
                done += piece.length;
            }
        }
    }
}
