package dev.kvasir.cli;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Which module may know which: {@code core} nobody, {@code lab} core, {@code train} both, {@code cli} all. */
final class ModuleLayeringTest {
    private static final JavaClasses ALL = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.kvasir");

    private static final DescribedPredicate<JavaClass> IN_CORE = resideInAPackage("dev.kvasir..")
            .and(not(resideInAnyPackage("dev.kvasir.lab..", "dev.kvasir.train..", "dev.kvasir.cli..")));

    @Test
    void coreKnowsNoOtherModule() {
        noClasses()
                .that(IN_CORE)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.lab..", "dev.kvasir.train..", "dev.kvasir.cli..")
                .check(ALL);
    }

    @Test
    void labKnowsOnlyCore() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.lab..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.train..", "dev.kvasir.cli..")
                .check(ALL);
    }

    @Test
    void trainDoesNotKnowTheCommands() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.train..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.kvasir.cli..")
                .check(ALL);
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("dev.kvasir.(*)..").should().beFreeOfCycles().check(ALL);
    }

    @Test
    void onlyTrainKnowsTheTrainingLibrary() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kvasir.train..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.bytedeco.pytorch..", "org.bytedeco.openblas..")
                .check(ALL);
    }

    @Test
    void onlyOneDnnAndTrainUnpackNativeLibraries() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.kvasir.train..", "dev.kvasir.onednn..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.bytedeco..")
                .check(ALL);
    }

    @Test
    void onlyCliKnowsThePartsOfACommandLine() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kvasir.cli..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("picocli..")
                .check(ALL);
    }

    @Test
    void labDoesNotPrint() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.lab..")
                .should()
                .accessField(System.class, "out")
                .orShould()
                .accessField(System.class, "err")
                .check(ALL);
    }
}
