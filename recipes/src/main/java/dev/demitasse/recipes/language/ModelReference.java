package dev.demitasse.recipes.language;

import dev.demitasse.model.hub.HubReference;
import java.nio.file.Path;
import java.util.List;

/** A model, as the command line or a recipe names it. */
public sealed interface ModelReference {
    /** The models that Demitasse brings along. */
    List<String> BUILTIN = List.of("tale-teacher");

    /** What the name of one that Demitasse brings along begins with. */
    String BUILTIN_PREFIX = "builtin:";

    /** One that Demitasse brings along: {@code builtin:tale-teacher}. */
    record Builtin(String name) implements ModelReference {}

    /** A checkpoint folder, a GGUF or an ONNX file. */
    record Local(Path path) implements ModelReference {}

    /** One on the hub: {@code hf:ORG/NAME}. */
    record OfHub(HubReference reference) implements ModelReference {}

    /**
     * What {@code written} means, be it there or not.
     *
     * @throws dev.demitasse.model.InvalidRequestException if it is {@code hf:} and no name that a model can have
     */
    static ModelReference of(String written) {
        if (written.startsWith(BUILTIN_PREFIX)) {
            return new Builtin(written.substring(BUILTIN_PREFIX.length()));
        }
        return HubReference.isOne(written) ? new OfHub(HubReference.parse(written)) : new Local(Path.of(written));
    }

    /** As a recipe writes it. */
    default String written() {
        return switch (this) {
            case Builtin builtin -> BUILTIN_PREFIX + builtin.name();
            case Local local -> local.path().toString();
            case OfHub ofHub -> ofHub.reference().toString();
        };
    }
}
