/** VidKV (arXiv 2503.16257): keys of 1 to 2 bits per channel, values of one trit per channel. Arranges packed stores of {@code cache.store}; knows no other method. Start with {@code VidKvLayer}. */
@NullMarked
package dev.kvasir.cache.method.vidkv;

import org.jspecify.annotations.NullMarked;
