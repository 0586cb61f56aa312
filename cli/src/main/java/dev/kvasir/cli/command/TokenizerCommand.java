package dev.kvasir.cli.command;

import picocli.CommandLine.Command;

/** {@code kvasir tokenizer}: the commands that make tokenizers. */
@Command(name = "tokenizer", mixinStandardHelpOptions = true, header = "Makes tokenizers.")
public final class TokenizerCommand {}
