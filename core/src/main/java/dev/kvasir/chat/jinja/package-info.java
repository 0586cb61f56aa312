/**
 * The part of the Jinja template language that chat templates are written in, over strings, numbers, lists and maps alone.
 *
 * <p>{@link dev.kvasir.chat.jinja.Template} is the way in: {@code Lexer}, {@code Parser} and {@code Interpreter} follow one
 * another. A template is hostile: there is no way from it to a Java object, and {@code Budget} bounds its work and output.
 * Meanings are those of the Jinja 3.1 documentation with {@code trim_blocks} and {@code lstrip_blocks}, as Hugging Face
 * renders chat templates.
 */
@NullMarked
package dev.kvasir.chat.jinja;

import org.jspecify.annotations.NullMarked;
