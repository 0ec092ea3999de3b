package dev.demitasse.recipes;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Imports run one way only, and each library is known to the modules that need it. */
class ArchitectureTest {
    private static final String ROOT = "dev.demitasse.";

    /** Which of our modules each module may import, beside itself. */
    private static final Map<String, List<String>> MAY_IMPORT = Map.of(
            "model", List.of(),
            "datasets", List.of("model"),
            "infer", List.of("model", "datasets"),
            "prune", List.of("model", "datasets", "infer"),
            "quantize", List.of("model", "datasets", "infer"),
            "distill", List.of("model", "datasets"),
            "export", List.of("model"),
            "recipes", List.of("model", "datasets", "infer", "prune", "quantize", "distill", "export"));

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.demitasse");

    @Test
    void everyModuleIsSeen() {
        for (String module : MAY_IMPORT.keySet()) {
            assertThat(CLASSES.that(DescribedPredicate.describe(module, (JavaClass c) -> in(c, module))))
                    .as("classes of " + module)
                    .isNotEmpty();
        }
    }

    @Test
    void importsRunOneWayOnly() {
        MAY_IMPORT.forEach((module, allowed) -> {
            String[] forbidden = MAY_IMPORT.keySet().stream()
                    .filter(other -> !other.equals(module) && !allowed.contains(other))
                    .map(other -> ROOT + other + "..")
                    .toArray(String[]::new);
            if (forbidden.length > 0) {
                noClasses()
                        .that()
                        .resideInAPackage(ROOT + module + "..")
                        .should()
                        .dependOnClassesThat()
                        .resideInAnyPackage(forbidden)
                        .check(CLASSES);
            }
        });
    }

    @Test
    void librariesStayWhereTheyAreNeeded() {
        onlyIn(
                "DJL's trainer",
                List.of("distill"),
                "ai.djl.ndarray..",
                "ai.djl.training..",
                "ai.djl.nn..",
                "ai.djl.pytorch..");
        onlyIn("Hugging Face tokenizers", List.of("model"), "ai.djl.huggingface..");
        onlyIn("ONNX Runtime", List.of("infer"), "ai.onnxruntime..");
        onlyIn("picocli and YAML", List.of("recipes"), "picocli..", "com.fasterxml.jackson.dataformat.yaml..");
        onlyIn("EJML", List.of("quantize"), "org.ejml..");
    }

    private static void onlyIn(String library, List<String> modules, String... packages) {
        String[] homes = modules.stream().map(module -> ROOT + module + "..").toArray(String[]::new);
        classes()
                .that()
                .resideOutsideOfPackages(homes)
                .should()
                .onlyDependOnClassesThat()
                .resideOutsideOfPackages(packages)
                .as(library + " is known to " + modules + " alone")
                .check(CLASSES);
    }

    private static boolean in(JavaClass type, String module) {
        return (type.getPackageName() + ".").startsWith(ROOT + module + ".");
    }
}
