package dev.kvasir;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The layers within core, as docs/architecture.md draws them. */
final class CoreLayeringTest {
    private static final JavaClasses CORE = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages(
                    "dev.kvasir.tensor..",
                    "dev.kvasir.cache..",
                    "dev.kvasir.model..",
                    "dev.kvasir.format..",
                    "dev.kvasir.tokenizer..",
                    "dev.kvasir.chat..",
                    "dev.kvasir.engine..",
                    "dev.kvasir.convert..");

    @ParameterizedTest(name = "{0} uses of ours only: {1}")
    @CsvSource({
        "tensor, ''",
        "cache, tensor",
        "model, tensor cache",
        "format, tensor cache model",
        "tokenizer, format",
        "chat, format",
        "engine, tensor cache model tokenizer",
        "convert, tensor cache model format",
    })
    void packageUsesOnlyThoseBelowIt(String from, String allowed) {
        String[] known = Stream.concat(Stream.of(from), Arrays.stream(allowed.split(" ")))
                .filter(name -> !name.isEmpty())
                .map(name -> "dev.kvasir." + name + "..")
                .toArray(String[]::new);
        DescribedPredicate<JavaClass> elsewhere = resideInAPackage("dev.kvasir..")
                .and(DescribedPredicate.not(resideInAnyPackage(known)))
                .and(DescribedPredicate.not(resideInAPackage("dev.kvasir")));

        noClasses()
                .that()
                .resideInAPackage("dev.kvasir." + from + "..")
                .should()
                .dependOnClassesThat(elsewhere)
                .check(CORE);
    }

    @Test
    void methodPackagesDoNotKnowEachOther() {
        slices().matching("dev.kvasir.cache.method.(*)..")
                .should()
                .notDependOnEachOther()
                .check(CORE);
    }

    @Test
    void vectorInstructionsStayInKernels() {
        noClasses()
                .that(resideInAnyPackage("dev.kvasir..")
                        .and(DescribedPredicate.not(
                                resideInAnyPackage("dev.kvasir.tensor..", "dev.kvasir.cache.kernel.."))))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jdk.incubator.vector..")
                .check(CORE);
    }

    @Test
    void onlyFormatOpensModelFilesAndTiersTheirOwn() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.kvasir.format..", "dev.kvasir.cache.tier..")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(FileChannel.class)
                .check(CORE);
    }

    @Test
    void coreDoesNotPrint() {
        noClasses()
                .that(alwaysTrue())
                .should()
                .accessField(System.class, "out")
                .orShould()
                .accessField(System.class, "err")
                .check(CORE);
    }
}
