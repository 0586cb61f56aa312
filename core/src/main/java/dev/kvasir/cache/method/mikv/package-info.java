/**
 * MiKV (arXiv 2402.18096): important tokens exact, all others in a few bits behind a channel balancer. Arranges {@code
 * cache.importance}'s tiers over parts of {@code cache.store}; knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.mikv;

import org.jspecify.annotations.NullMarked;
