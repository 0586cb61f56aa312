/**
 * Model files: safetensors, Hugging Face folders, and the checks that make hostile files harmless.
 *
 * <p>Start at {@link dev.kvasir.format.ModelFolder}; a tensor's way into a {@code Matrix} is {@link
 * dev.kvasir.format.SafetensorsFile}. Produces what {@code model} describes; nothing else in the project opens a model
 * file.
 */
@NullMarked
package dev.kvasir.format;

import org.jspecify.annotations.NullMarked;
