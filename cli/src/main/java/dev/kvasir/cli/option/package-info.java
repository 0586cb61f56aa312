/** Option groups that several commands share, as picocli mixins, and the checks of their values. */
@NullMarked
package dev.kvasir.cli.option;

import org.jspecify.annotations.NullMarked;
