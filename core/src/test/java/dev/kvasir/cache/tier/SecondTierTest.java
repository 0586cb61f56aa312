package dev.kvasir.cache.tier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SecondTierTest {
    @TempDir
    private Path folder;

    @Test
    void inMemoryItIsTheCachesOwnPool() {
        try (PagePool pool = Steps.pool()) {
            SecondTier tier = SecondTier.open("ram", pool);
            assertThat(tier.pool()).isSameAs(pool);
            assertThat(tier.isApart()).isFalse();
            tier.hold();
            tier.letGo();
            assertThat(pool.claim(0)).isNotNull();
        }
    }

    @Test
    void pagesOfAFileKeepTheirBytesOverManyExtents() {
        try (PagePool memory = Steps.pool()) {
            SecondTier tier = SecondTier.open(folder.toString(), memory);
            tier.hold();
            List<Page> pages = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                long size = 1000 + i * 7919L;
                try (PagePool.Claim claim = tier.pool().claim(size)) {
                    Page page = claim.page(size);
                    page.bytes().fill((byte) i);
                    assertThat(page.bytes().address() % 64).isZero();
                    pages.add(page);
                }
            }
            for (int i = 0; i < pages.size(); i++) {
                Page page = pages.get(i);
                assertThat(page.bytes().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) i);
                assertThat(page.bytes().get(ValueLayout.JAVA_BYTE, page.size() - 1))
                        .isEqualTo((byte) i);
                tier.pool().release(page);
            }
            assertThat(memory.usedBytes()).isZero();
            tier.letGo();
        }
    }

    @Test
    void theFileIsGoneWhenTheLastHolderLetsGo() throws IOException {
        try (PagePool memory = Steps.pool()) {
            SecondTier tier = SecondTier.open(folder.resolve("tier").toString(), memory);
            tier.hold();
            tier.hold();
            tier.pool().claim(1 << 20).close();
            tier.letGo();
            tier.pool().claim(1 << 22).close();
            tier.letGo();
            try (var left = Files.list(folder)) {
                assertThat(left).isEmpty();
            }
            assertThatThrownBy(() -> tier.pool().claim(1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void whatIsThereIsNotWrittenOver() throws IOException {
        Path mine = Files.writeString(folder.resolve("mine"), "text");
        try (PagePool memory = Steps.pool()) {
            SecondTier tier = SecondTier.open(mine.toString(), memory);
            tier.hold();
            tier.pool().claim(1 << 20).close();
            tier.letGo();
        }
        assertThat(mine).hasContent("text");
    }

    @Test
    void aFolderThatIsNotThereIsATypedError() {
        try (PagePool memory = Steps.pool()) {
            Path nowhere = folder.resolve("no").resolve("where");
            assertThatThrownBy(() -> SecondTier.open(nowhere.toString(), memory))
                    .isInstanceOf(TierException.class)
                    .hasMessageContainingAll("second tier", nowhere.toString(), "no folder");
            assertThatThrownBy(() -> SecondTier.open("a\0b", memory))
                    .isInstanceOf(KvasirException.class)
                    .hasMessageContaining("second tier");
        }
    }

    @Test
    void aFullDiskIsATypedErrorAndLeavesThePoolAsItWas() {
        MappedFile file = MappedFile.create(folder, (channel, from, bytes) -> {
            if (from + bytes > 3 << 20) {
                throw new IOException("No space left on device");
            }
            channel.write(java.nio.ByteBuffer.allocate(1), from + bytes - 1);
        });
        PagePool pool = new PagePool(Long.MAX_VALUE, file);
        try (PagePool.Claim claim = pool.claim(1 << 19)) {
            Page page = claim.page(1 << 19);
            assertThatThrownBy(() -> pool.claim(5 << 20))
                    .isInstanceOf(TierException.class)
                    .hasMessageContainingAll("cannot grow", "No space left on device")
                    .hasMessageNotContaining("\n");
            assertThat(pool.usedBytes()).isEqualTo(1 << 19);
            page.bytes().fill((byte) 1);
            pool.claim(1 << 18).close();
            pool.release(page);
        }
        pool.close();
        file.close();
    }
}
