package dev.demitasse.recipes.run;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.hub.Hub;
import dev.demitasse.model.hub.HubReference;
import dev.demitasse.model.hub.HubSettings;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.ModelReference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a model that is named on the command line or in a recipe lies; a model of the hub is fetched first. */
public final class ModelLocation {
    private final HubSettings hub;
    private final Progress progress;

    /**
     * @param hub where models are fetched from
     * @param progress told of a download
     */
    public ModelLocation(HubSettings hub, Progress progress) {
        this.hub = hub;
        this.progress = progress;
    }

    /**
     * @param written a path, {@code hf:ORG/NAME} or {@code builtin:NAME}
     * @throws InvalidRequestException if there is no such model
     */
    public Path of(String written) throws IOException {
        return of(ModelReference.of(written));
    }

    /** Where a recipe's model lies. */
    public Path of(ModelReference reference) throws IOException {
        return switch (reference) {
            case ModelReference.Builtin builtin -> builtin(builtin);
            case ModelReference.Local local -> existing(local.path());
            case ModelReference.OfHub ofHub -> Hub.fetch(ofHub.reference(), hub, progress);
        };
    }

    private static Path builtin(ModelReference.Builtin builtin) {
        if (!ModelReference.BUILTIN.contains(builtin.name())) {
            throw new InvalidRequestException(
                    builtin.written(), "does not exist", "there is: " + String.join(", ", ModelReference.BUILTIN));
        }
        return existing(home().resolve("recipes/builtin").resolve(builtin.name()));
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
                    "name a checkpoint folder, a .gguf, an .onnx, " + HubReference.FORM + ", or builtin:NAME");
        }
        return path;
    }
}
