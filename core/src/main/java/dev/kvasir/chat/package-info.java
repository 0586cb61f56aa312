/**
 * How a conversation becomes the text that a chat model was trained on: its chat template, found and rendered.
 *
 * <p>Start at {@link dev.kvasir.chat.ChatTemplate}; {@code chat.jinja} is the template language. Uses {@code format} for files
 * that nobody vouches for.
 */
@NullMarked
package dev.kvasir.chat;

import org.jspecify.annotations.NullMarked;
