package dev.demitasse.recipes.language;

import java.nio.file.Path;
import java.util.List;

/** The model that a recipe starts from. */
public sealed interface ModelReference {
    /** The models that Demitasse brings along. */
    List<String> BUILTIN = List.of("tale-teacher");

    /** One that Demitasse brings along: {@code builtin:tale-teacher}. */
    record Builtin(String name) implements ModelReference {}

    /** A checkpoint folder, a GGUF or an ONNX file. */
    record Local(Path path) implements ModelReference {}

    /** As a recipe writes it. */
    default String written() {
        return switch (this) {
            case Builtin builtin -> "builtin:" + builtin.name();
            case Local local -> local.path().toString();
        };
    }
}
