/** SnapKV: of a prompt those tokens stay that its last tokens attend to. */
@NullMarked
package dev.kvasir.cache.method.snapkv;

import org.jspecify.annotations.NullMarked;
