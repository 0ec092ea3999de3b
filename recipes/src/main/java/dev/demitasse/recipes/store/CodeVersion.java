package dev.demitasse.recipes.store;

import dev.demitasse.datasets.TextSource;
import dev.demitasse.distill.optimize.AdamW;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.prune.Pruning;
import dev.demitasse.quantize.matrix.Hessian;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Work;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * A hash of the compiled code that a stage's result depends on: of the modules that do its work, so that a change to the
 * report does not do every stage again, and a change to GPTQ does every quantization again.
 */
final class CodeVersion {
    /** Counts up when how stages are asked for their work changes what they make. */
    private static final int VERSION = 1;

    private CodeVersion() {}

    static String of(Work work) {
        StringBuilder text = new StringBuilder().append(VERSION);
        for (Class<?> anchor : anchors(work)) {
            text.append(' ').append(hash(anchor));
        }
        return Hashes.sha256(text.toString().getBytes(StandardCharsets.UTF_8)).substring(0, 16);
    }

    /** A class of each module that does the work. */
    private static List<Class<?>> anchors(Work work) {
        return switch (work) {
            case Pretrain pretrain -> List.of(ModelConfig.class, TextSource.class, AdamW.class);
            case Distill distill -> List.of(ModelConfig.class, TextSource.class, AdamW.class);
            case Prune prune -> List.of(ModelConfig.class, TextSource.class, CpuModel.class, Pruning.class);
            case Quantize quantize -> List.of(ModelConfig.class, TextSource.class, CpuModel.class, Hessian.class);
            case Export export ->
                export.calibrates()
                        ? List.of(ModelConfig.class, TextSource.class, CpuModel.class, OnnxExport.class)
                        : List.of(ModelConfig.class, OnnxExport.class);
        };
    }

    /** Hash of the module that {@code anchor} was loaded from, a jar or a folder of classes. */
    private static String hash(Class<?> anchor) {
        try {
            Path place = Path.of(
                    anchor.getProtectionDomain().getCodeSource().getLocation().toURI());
            TreeMap<String, String> classes = Files.isDirectory(place) ? inFolder(place) : inJar(place);
            return Hashes.sha256(classes.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("reading Demitasse's own code", e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException("where " + anchor + " was loaded from", e);
        }
    }

    /** A jar's directory has a CRC of each class. */
    private static TreeMap<String, String> inJar(Path jar) throws IOException {
        TreeMap<String, String> classes = new TreeMap<>();
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            for (ZipEntry entry : zip.stream()
                    .filter(entry -> entry.getName().endsWith(".class"))
                    .toList()) {
                classes.put(entry.getName(), entry.getSize() + " " + entry.getCrc());
            }
        }
        return classes;
    }

    private static TreeMap<String, String> inFolder(Path folder) throws IOException {
        TreeMap<String, String> classes = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".class")).toList()) {
                classes.put(folder.relativize(file).toString(), Hashes.sha256(Files.readAllBytes(file)));
            }
        }
        return classes;
    }
}
