/**
 * The laboratory: what a cache costs and what it damages, by measurement. Nothing lives at the root.
 *
 * <p>{@code step} is the door to a model; {@code task} makes what is asked; {@code perplexity}, {@code accuracy} and
 * {@code bench} measure; {@code compare} is the main job; {@code report} and {@code info} tell people. Nothing here
 * prints.
 */
@NullMarked
package dev.kvasir.lab;

import org.jspecify.annotations.NullMarked;
