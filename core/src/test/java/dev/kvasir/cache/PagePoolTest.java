package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PagePoolTest {
    @Test
    void pagesAreAlignedAndUsedAgain() {
        try (PagePool pool = new PagePool(1000);
                PagePool.Claim claim = pool.claim(600)) {
            Page page = claim.page(200);
            assertThat(page.bytes().address() % 64).isZero();
            assertThat(pool.usedBytes()).isEqualTo(200);
            pool.release(page);
            assertThat(pool.usedBytes()).isZero();
            assertThat(pool.reservedBytes()).isEqualTo(200);
            assertThat(claim.page(200)).isSameAs(page);
        }
    }

    @Test
    void waitingPagesMakeRoomForOtherSizes() {
        try (PagePool pool = new PagePool(1000)) {
            List<Page> pages = new ArrayList<>();
            try (PagePool.Claim claim = pool.claim(1000)) {
                for (int i = 0; i < 10; i++) {
                    pages.add(claim.page(100));
                }
            }
            pages.forEach(pool::release);
            assertThat(pool.reservedBytes()).isEqualTo(1000);
            try (PagePool.Claim claim = pool.claim(950)) {
                claim.page(950).bytes().set(ValueLayout.JAVA_BYTE, 949, (byte) 1);
                assertThat(pool.reservedBytes()).isLessThanOrEqualTo(1000);
            }
        }
    }

    @Test
    void theBudgetIsHard() {
        try (PagePool pool = new PagePool(1000)) {
            PagePool.Claim claim = pool.claim(700);
            assertThatThrownBy(() -> pool.claim(301))
                    .isInstanceOf(CacheBudgetException.class)
                    .hasMessageContainingAll("301", "700", "1000");
            claim.page(300);
            claim.close();
            assertThat(pool.usedBytes()).isEqualTo(300);
            pool.claim(700).close();
            assertThatThrownBy(() -> pool.claim(Long.MAX_VALUE)).isInstanceOf(CacheBudgetException.class);
        }
    }

    @Test
    void aSharedPageLivesAsLongAsItsLastHolder() {
        PagePool pool = new PagePool(1000);
        Page page;
        try (PagePool.Claim claim = pool.claim(100)) {
            page = claim.page(100);
        }
        pool.share(page);
        assertThat(page.shared()).isTrue();
        pool.release(page);
        assertThat(page.shared()).isFalse();
        assertThat(pool.usedBytes()).isEqualTo(100);
        pool.close();
        page.bytes().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        pool.release(page);
        assertThat(pool.reservedBytes()).isZero();
        assertThat(page.bytes().scope().isAlive()).isFalse();
        assertThatThrownBy(() -> pool.release(page)).isInstanceOf(IllegalStateException.class);
    }
}
