package dev.kvasir.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A copy of the launcher in a folder with a space in its name, with JDKs and a Maven that only say that they were called.
 */
final class LauncherSandbox {
    private static final Path REPOSITORY = Path.of("..").toAbsolutePath().normalize();
    private static final int LONGEST_SECONDS = 60;

    final Path root;
    final Path home;
    final Path jdks;
    private final Path tools;
    private final Map<String, String> environment = new HashMap<>();

    LauncherSandbox(Path temporary) throws IOException {
        root = temporary.toRealPath();
        home = Files.createDirectories(root.resolve("the sources"));
        jdks = Files.createDirectories(root.resolve("java folders"));
        tools = Files.createDirectories(root.resolve("tools"));
        for (String file : List.of("kvasir", "build", "scripts/find-jdk.sh", "scripts/building.sh")) {
            Path copy = home.resolve(file);
            Files.createDirectories(copy.getParent());
            Files.copy(REPOSITORY.resolve(file), copy);
        }
        Files.createDirectories(home.resolve("core/src/main"));
        for (String file : List.of("pom.xml", "core/pom.xml", "core/src/main/A.java")) {
            Files.writeString(home.resolve(file), "");
        }
        script(tools.resolve("mvn"), """
                echo "maven with $JAVA_HOME: $*" >>'%1$s/maven-calls'
                echo '[INFO] Building Kvasir core 1'
                sleep "${FAKE_MAVEN_SECONDS:-0}"
                if [ -n "${FAKE_MAVEN_FAILS:-}" ]; then echo '[ERROR] A.java is wrong'; exit 1; fi
                mkdir -p '%2$s/cli/target' && : >'%2$s/cli/target/kvasir.jar'
                """.formatted(root, home));
        set("PATH", tools + ":/usr/bin:/bin");
        set("HOME", root.toString());
        set("KVASIR_JDK_FOLDERS", jdks.toString());
    }

    /** Adds to or replaces in what the launcher inherits. */
    void set(String name, String value) {
        environment.put(name, value);
    }

    /** A JDK of this version in {@code folder}, whose java prints its version and arguments, one a line. */
    Path jdk(Path folder, String version) throws IOException {
        return jdk(folder, version, "java.base jdk.incubator.vector");
    }

    Path jdk(Path folder, String version, String modules) throws IOException {
        Files.createDirectories(folder.resolve("bin"));
        Files.writeString(
                folder.resolve("release"),
                "IMPLEMENTOR=\"Someone\"\nJAVA_VERSION=\"" + version + "\"\nMODULES=\"" + modules + "\"\n");
        script(folder.resolve("bin/java"), """
                echo 'java %s'
                for a in "$@"; do printf '%%s\\n' "<$a>"; done
                exit "${FAKE_JAVA_EXIT:-0}"
                """.formatted(version));
        script(folder.resolve("bin/javac"), "");
        return folder;
    }

    /** How often Maven was called to build. */
    List<String> mavenCalls() throws IOException {
        Path calls = root.resolve("maven-calls");
        return Files.exists(calls) ? Files.readAllLines(calls) : List.of();
    }

    static void script(Path file, String body) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + body);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException("cannot make executable: " + file);
        }
    }

    /** What a run left behind. */
    record Finished(int exit, String out, String err) {}

    /** Starts a program of the sandbox, in its root folder. */
    Process start(Path program, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("sh", program.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).directory(root.toFile());
        builder.environment().clear();
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        return process;
    }

    Finished run(Path program, String... arguments) throws IOException, InterruptedException {
        return await(start(program, arguments));
    }

    Finished await(Process process) throws IOException, InterruptedException {
        // Outputs are far smaller than a pipe, so reading one after the other cannot block the process.
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(LONGEST_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new UncheckedIOException(new IOException("the launcher hangs: " + out + err));
        }
        return new Finished(process.exitValue(), out, err);
    }

    Finished kvasir(String... arguments) throws IOException, InterruptedException {
        return run(home.resolve("kvasir"), arguments);
    }
}
