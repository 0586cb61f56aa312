package dev.kvasir.cli.option;

import dev.kvasir.cache.CacheSpec;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Which caches are measured beside each other. */
public final class CacheListOption {
    @Option(
            names = {"-c", "--cache"},
            paramLabel = "SPEC",
            converter = CacheSpecConverter.class,
            description = "A cache to measure, e.g. 'kivi(bits=2)'; may be given several times."
                    + " `kvasir methods` lists all. Default: a sensible set.")
    private List<CacheSpec> specs = new ArrayList<>();

    /** The caches in the order given; empty where none is named. */
    public List<CacheSpec> specs() {
        return List.copyOf(specs);
    }
}
