/**
 * KVCrush: part of another policy's budget goes to representatives of the tokens it lets go. {@link
 * dev.kvasir.cache.method.kvcrush.CrushedTokens} decides for a layer, with {@link dev.kvasir.cache.method.kvcrush.Behaviour}: the
 * signatures of its tokens.
 */
@NullMarked
package dev.kvasir.cache.method.kvcrush;

import org.jspecify.annotations.NullMarked;
