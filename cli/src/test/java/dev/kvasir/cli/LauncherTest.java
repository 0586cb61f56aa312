package dev.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cli.LauncherSandbox.Finished;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shell side: {@code kvasir}, {@code build} and what they share. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the launcher is a POSIX shell script")
final class LauncherTest {
    @TempDir
    Path temporary;

    private LauncherSandbox sandbox;

    @BeforeEach
    void makeSandbox() throws IOException {
        sandbox = new LauncherSandbox(temporary);
    }

    private void olderJdkOnPath() throws IOException {
        Path older = sandbox.jdk(sandbox.root.resolve("older"), "17.0.15");
        sandbox.set("PATH", older.resolve("bin") + ":" + sandbox.root.resolve("tools") + ":/usr/bin:/bin");
        sandbox.set("JAVA_HOME", older.toString());
    }

    @Test
    void passesOverAnOlderJdkThatIsTheDefault() throws Exception {
        olderJdkOnPath();
        sandbox.jdk(sandbox.jdks.resolve("jdk 25"), "25.0.3");

        Finished run = sandbox.kvasir("info");

        assertThat(run.exit()).isZero();
        assertThat(run.out()).startsWith("java 25.0.3\n").endsWith("<info>\n");
        assertThat(sandbox.mavenCalls()).singleElement().asString().contains("jdk 25");
    }

    @Test
    void saysInOneLineWhatToSetWhereThereIsNoJdk() throws Exception {
        olderJdkOnPath();
        sandbox.jdk(sandbox.jdks.resolve("jdk-21"), "21.0.7");

        for (String program : new String[] {"kvasir", "build"}) {
            Finished run = sandbox.run(sandbox.home.resolve(program));

            assertThat(run.exit()).isEqualTo(1);
            assertThat(run.out()).isEmpty();
            assertThat(run.err().lines()).singleElement().asString().contains("no JDK 25", "KVASIR_JAVA_HOME");
        }
    }

    @Test
    void refusesNamedJdkThatIsTooOld() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set(
                "KVASIR_JAVA_HOME",
                sandbox.jdk(sandbox.root.resolve("older"), "17.0.15").toString());

        Finished run = sandbox.kvasir();

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("KVASIR_JAVA_HOME=", "17");
    }

    @Test
    void namedJdkGoesBeforeAllOthers() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set(
                "JAVA_HOME", sandbox.jdk(sandbox.root.resolve("home"), "25.0.1").toString());
        sandbox.set(
                "KVASIR_JAVA_HOME",
                sandbox.jdk(sandbox.root.resolve("named"), "27-ea").toString());

        assertThat(sandbox.kvasir().out()).startsWith("java 27-ea\n");
    }

    @Test
    void javaHomeGoesBeforePathAndPathBeforeInstallFolders() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        Path linked = sandbox.jdk(sandbox.root.resolve("linked"), "25.0.2").resolve("bin/java");
        Files.createSymbolicLink(sandbox.root.resolve("tools/java"), linked);

        assertThat(sandbox.kvasir().out()).startsWith("java 25.0.2\n");

        sandbox.set(
                "JAVA_HOME", sandbox.jdk(sandbox.root.resolve("home"), "25.0.1").toString());
        assertThat(sandbox.kvasir().out()).startsWith("java 25.0.1\n");
    }

    @Test
    void takesTheOldestInstalledThatIsNewEnough() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("a"), "26.0.1");
        sandbox.jdk(sandbox.jdks.resolve("b/Contents/Home"), "25.0.3");
        sandbox.jdk(sandbox.jdks.resolve("c"), "1.8.0_442");
        sandbox.jdk(sandbox.jdks.resolve("d"), "21.0.7");

        assertThat(sandbox.kvasir().out()).startsWith("java 25.0.3\n");
    }

    @Test
    void passesOverJdkWithoutVectorModule() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("a"), "25.0.1", "java.base java.desktop");
        sandbox.jdk(sandbox.jdks.resolve("b"), "26", "jdk.incubator.vector java.base");

        assertThat(sandbox.kvasir().out()).startsWith("java 26\n");
    }

    @Test
    void worksThroughLinksFromElsewhereAndKeepsArgumentsWhole() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        Path links = Files.createDirectories(sandbox.root.resolve("bin"));
        Files.createSymbolicLink(links.resolve("inner"), Path.of("../the sources/kvasir"));
        Files.createSymbolicLink(links.resolve("kv"), Path.of("inner"));

        Finished run = sandbox.run(links.resolve("kv"), "generate", "-p", "two words", "", "*", "$HOME");

        assertThat(run.out()).endsWith("<generate>\n<-p>\n<two words>\n<>\n<*>\n<$HOME>\n");
        assertThat(run.out()).contains("<-Dkvasir.home=" + sandbox.home + ">");
    }

    @Test
    void exitCodeIsThatOfJava() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set("FAKE_JAVA_EXIT", "2");

        assertThat(sandbox.kvasir().exit()).isEqualTo(2);
    }

    @Test
    void optionsForJavaComeLastAndApart() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set("KVASIR_JAVA_OPTS", "-Xmx8g -Dx=y");

        assertThat(sandbox.kvasir("info").out())
                .contains("<-Xmx8g>\n<-Dx=y>\n<-jar>\n")
                .endsWith("<info>\n");
    }

    @Test
    void buildsOnFirstUseAndAfterChangesOnly() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        Finished first = sandbox.kvasir();
        Finished second = sandbox.kvasir();

        assertThat(first.err()).contains("kvasir: building", "kvasir: built");
        assertThat(second.err()).isEmpty();
        assertThat(sandbox.mavenCalls()).hasSize(1);

        Path source = sandbox.home.resolve("core/src/main/A.java");
        Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(5)));
        assertThat(sandbox.kvasir().err()).contains("kvasir: built");
        assertThat(sandbox.mavenCalls()).hasSize(2);
    }

    @Test
    void buildsAgainWhenSourceIsRemoved() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.kvasir();
        Path stamp = sandbox.home.resolve("target/kvasir.stamp");
        Files.setLastModifiedTime(stamp, FileTime.from(Instant.now().minusSeconds(5)));

        Files.delete(sandbox.home.resolve("core/src/main/A.java"));
        sandbox.kvasir();

        assertThat(sandbox.mavenCalls()).hasSize(2);
    }

    @Test
    void twoFirstUsesBuildOnce() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set("FAKE_MAVEN_SECONDS", "2");
        Process one = sandbox.start(sandbox.home.resolve("kvasir"), "one");
        Process two = sandbox.start(sandbox.home.resolve("kvasir"), "two");

        assertThat(sandbox.await(one).out()).endsWith("<one>\n");
        assertThat(sandbox.await(two).out()).endsWith("<two>\n");
        assertThat(sandbox.mavenCalls()).hasSize(1);
        assertThat(sandbox.home.resolve("target/kvasir.lock")).doesNotExist();
    }

    @Test
    void lockOfDeadProcessIsTaken() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        Process dead = sandbox.start(sandbox.root.resolve("tools/mvn"));
        sandbox.await(dead);
        Path lock = Files.createDirectories(sandbox.home.resolve("target/kvasir.lock"));
        Files.writeString(lock.resolve("pid"), dead.pid() + "\n");

        assertThat(sandbox.kvasir().exit()).isZero();
        assertThat(lock).doesNotExist();
    }

    @Test
    void failedBuildShowsItsErrorAndIsTriedAgain() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set("FAKE_MAVEN_FAILS", "yes");

        Finished failed = sandbox.kvasir();
        assertThat(failed.exit()).isEqualTo(1);
        assertThat(failed.out()).isEmpty();
        assertThat(failed.err()).contains("[ERROR] A.java is wrong", "target/kvasir-build.log");

        sandbox.set("FAKE_MAVEN_FAILS", "");
        assertThat(sandbox.kvasir().exit()).isZero();
    }

    @Test
    void saysInOneLineThatMavenIsMissing() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.set("KVASIR_MAVEN", sandbox.root.resolve("no/mvn").toString());

        Finished run = sandbox.kvasir();

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("Maven", "KVASIR_MAVEN");
    }

    @Test
    void buildRunsAllChecksAndPassesArguments() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");

        Finished all = sandbox.run(sandbox.home.resolve("build"));
        Finished some = sandbox.run(sandbox.home.resolve("build"), "-pl", "core");

        assertThat(all.out()).contains("[INFO] Building");
        assertThat(some.exit()).isZero();
        assertThat(sandbox.mavenCalls()).hasSize(2);
        assertThat(sandbox.mavenCalls().get(0)).contains("jdk-25").endsWith(" verify");
        assertThat(sandbox.mavenCalls().get(1)).endsWith(" verify -pl core");
    }

    @Test
    void launcherNeedsNoBuildAfterTheTestsPassed() throws Exception {
        sandbox.jdk(sandbox.jdks.resolve("jdk-25"), "25");
        sandbox.run(sandbox.home.resolve("build"));

        assertThat(sandbox.kvasir("info").err()).isEmpty();
        assertThat(sandbox.mavenCalls()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvasir", "build", "scripts/find-jdk.sh", "scripts/building.sh"})
    void scriptHasNoBashisms(String script) throws Exception {
        String text = Files.readString(sandbox.home.resolve(script));
        String code = text.lines().filter(line -> !line.strip().startsWith("#")).collect(Collectors.joining("\n"));

        assertThat(code).doesNotContain("[[", "function ", "<<<", "$'", "&>", "source ", "readlink -f");
    }
}
