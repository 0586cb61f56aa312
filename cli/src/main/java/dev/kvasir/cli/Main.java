package dev.kvasir.cli;
import picocli.CommandLine;
/** x. */
@CommandLine.Command(name="kvasir", mixinStandardHelpOptions=true)
public final class Main {
    /** x. */
    public static void main(String[] args) {
        System.exit(new CommandLine(new Main()).execute(args));
    }
}
