/** PyramidKV: as SnapKV, with budgets that fall from layer to layer. */
@NullMarked
package dev.kvasir.cache.method.pyramidkv;

import org.jspecify.annotations.NullMarked;
