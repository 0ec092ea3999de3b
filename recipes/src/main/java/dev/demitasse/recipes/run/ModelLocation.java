package dev.demitasse.recipes.run;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.recipes.language.ModelReference;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a model that is named on the command line or in a recipe lies. */
public final class ModelLocation {
    private static final String BUILTIN = "builtin:";

    private ModelLocation() {}

    /**
     * @param written a path, or {@code builtin:NAME}
     * @throws InvalidRequestException if there is no such model
     */
    public static Path of(String written) {
        return written.startsWith(BUILTIN) ? builtin(written.substring(BUILTIN.length())) : existing(Path.of(written));
    }

    /** Where a recipe's model lies. */
    public static Path of(ModelReference reference) {
        return switch (reference) {
            case ModelReference.Builtin builtin -> builtin(builtin.name());
            case ModelReference.Local local -> existing(local.path());
        };
    }

    private static Path builtin(String name) {
        if (!ModelReference.BUILTIN.contains(name)) {
            throw new InvalidRequestException(
                    BUILTIN + name, "does not exist", "there is: " + String.join(", ", ModelReference.BUILTIN));
        }
        return existing(home().resolve("recipes/builtin").resolve(name));
    }

    /** The folder that Demitasse is started from; the launcher tells. */
    static Path home() {
        return Path.of(System.getProperty("demitasse.home", ""));
    }

    private static Path existing(Path path) {
        if (!Files.exists(path)) {
            throw new InvalidRequestException(
                    path,
                    "there is no such file or folder",
                    "name a checkpoint folder, a .gguf, an .onnx or builtin:NAME");
        }
        return path;
    }
}
