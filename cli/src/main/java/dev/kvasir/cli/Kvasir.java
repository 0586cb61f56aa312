package dev.kvasir.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The command above all commands. */
@Command(
        name = "kvasir",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        header = {"LLM inference whose KV cache is a tenth of the size.", ""},
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir compare                      the shipped model with several caches, and report.html",
            "  kvasir generate --prompt \"Once\" --cache 'kivi(bits=2)'",
            "  kvasir help generate                all about one command",
            "  eval \"$(kvasir completion)\"         completion for this bash or zsh",
            "",
            "Exit codes: 0 all went well, 1 a file, an input or a budget did not serve, 2 the command line was wrong."
        })
final class Kvasir {
    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "On an error, show where it happened.")
    private boolean verbose;

    boolean verbose() {
        return verbose;
    }
}
