/** QServe's KV4 and KV8 (arXiv 2405.04532): a scale and a zero for each token and head inside the page, keys smoothed beforehand. Arranges parts of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.qserve;

import org.jspecify.annotations.NullMarked;
