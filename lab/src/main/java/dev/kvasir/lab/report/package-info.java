/**
 * Results for people and programs: the self-contained HTML page, its charts, and JSON with stable keys.
 */
@NullMarked
package dev.kvasir.lab.report;

import org.jspecify.annotations.NullMarked;
