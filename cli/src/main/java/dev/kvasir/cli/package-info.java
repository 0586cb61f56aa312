package dev.kvasir.cli;
